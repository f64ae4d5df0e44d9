"""Read a dataset YAML, and find the folders that it names."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.paths.path_variables import expand
from detreduce.dataset.reading.text_lines import is_utf16
from detreduce.dataset.records import Source, SplitSource
from detreduce.dataset.splits import canonical_split, choose_split, in_order
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.untrusted.confinement import VARIABLE as ROOT
from detreduce.machine.untrusted.confinement import is_outside_root
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import YAMLS, is_regular, read_regular
from detreduce.ultralytics_bridge.config_folder import datasets_folders, is_shipped

SPLIT_KEYS = ("train", "val", "test", "minival", "valid", "validation")


@dataclass(frozen=True)
class Description:
    """The content of a dataset YAML.

    Attributes
    ----------
    file
        The absolute path of the YAML.
    values
        The keys and values of the YAML.
    oddities
        Descriptions of what is unusual about the file.
    """

    file: Path
    values: Mapping[str, Any]
    oddities: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the YAML, to which relative paths in the YAML refer."""
        return self.file.parent

    def how_to_get(self) -> str:
        """Return a sentence that explains how to get the data.

        Return an empty string if the YAML has neither the key ``get:`` nor ``download:``.
        """
        if words := self.values.get("get"):
            return f" How to get it: {str(words).strip()}"
        if source := self.values.get("download"):
            return f" {_how_to_download(self.file, str(source))}"
        return ""


def read_description(file: str | Path) -> Description:
    """Read a dataset YAML. Raise MissingFileError if it cannot be read, and InputError if it is not valid YAML."""
    path = absolute(file)
    try:
        data = read_regular(path, YAMLS)
    except OSError as error:
        raise MissingFileError(f"{path}: the dataset file cannot be read ({error.strerror}).") from None
    if is_utf16(data):
        raise InputError(f"{path}: UTF-16, which ultralytics cannot read. Save the file as UTF-8.")
    oddities: tuple[str, ...] = ()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        oddities = ("not UTF-8: read as Latin-1",)
    try:
        values = load_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{path}{where}: not valid YAML: {what}.") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid YAML: {error}.") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: the file has no keys. A dataset YAML needs keys such as 'train:' and 'names:'.")
    return Description(path, values, oddities)


def split_entries(description: Description) -> Iterator[tuple[str, Any]]:
    """Yield the key and the value of each split that has a value. Keys are in lower case (CVAT writes ``Train:``)."""
    values = {key.lower(): value for key, value in description.values.items() if isinstance(key, str)}
    values |= {key: value for key, value in description.values.items() if isinstance(key, str)}
    for key in SPLIT_KEYS:
        if (value := values.get(key)) not in (None, "", []):
            yield key, value


def split_values(description: Description) -> dict[str, Any]:
    """Return the value of each split under its canonical name.

    If the YAML has several aliases for the same split, the alias that comes first in `SPLIT_KEYS` is used.
    """
    values: dict[str, Any] = {}
    for key, value in split_entries(description):
        if value:
            values.setdefault(canonical_split(key), value)
    return values


def named_path(description: Description, root: Path, text: str) -> Path:
    """Return the absolute path of `text`, a path in a YAML. A relative path starts from `root`.

    If the literal path does not exist, ``~`` and ``${NAME}`` are expanded. Raise InputError if an environment variable
    is not set, or if the path may not be read because of DETREDUCE_ROOT.
    """
    literal = absolute(root / text)
    if not is_outside_root(literal) and os.path.exists(literal):  # noqa: PTH110
        return literal
    path = absolute(root / expand_path(text, description.file))
    if is_outside_root(path):
        raise InputError(f"{description.file}: {text!r} is outside the folder {os.environ[ROOT]}.")
    return path


def annotated_splits(
    description: Description, root: Path, find_images: Callable[[Path], Path]
) -> dict[str, SplitSource]:
    """Return the splits of a YAML with entries ``train: {annotations: FILE, images: FOLDER}`` or ``train: FILE``.

    Every key whose value contains ``annotations`` is a split. If a split does not have ``images``, `find_images` is
    called with its annotation file to find the images folder. Raise InputError if no split is named or a split has no
    annotations. Raise MissingFileError if an annotation file does not exist.
    """
    file = description.file
    values = split_values(description)
    for key, value in description.values.items():
        if isinstance(value, Mapping) and "annotations" in value and isinstance(key, str):
            values.setdefault(canonical_split(key), value)
    splits: dict[str, SplitSource] = {}
    for split, value in values.items():
        entry = {"annotations": value} if isinstance(value, str) else value
        if not isinstance(entry, Mapping) or not isinstance(entry.get("annotations"), str):
            raise InputError(f"{file}: {split!r} must be {{annotations: train.json, images: folder}}, not {value!r}.")
        annotations = named_path(description, root, entry["annotations"])
        if not is_regular(annotations):
            how = description.how_to_get()
            raise MissingFileError(f"{annotations}: the annotations of {split!r} do not exist.{how}")
        folder = entry.get("images")
        images = find_images(annotations) if folder is None else named_path(description, root, str(folder))
        splits[split] = SplitSource((images,), annotations)
    if not splits:
        raise InputError(f"{file}: no split is named. Add 'train: {{annotations: train.json, images: folder}}'.")
    return in_order(splits)


def _how_to_download(file: Path, source: str) -> str:
    """Return a sentence that explains how to download the data. `source` is the value of ``download:``."""
    shipped = is_shipped(file)
    name = file.name if shipped else str(file)
    code = f"from ultralytics.data.utils import check_det_dataset; check_det_dataset({json.dumps(name)})"
    fetch = f"python -c {shlex.quote(code)}"
    first = next(iter(source.strip().splitlines()), "")
    if first.startswith(("http://", "https://")):
        how = f"unpack {first} into {datasets_folders()[0]}, or let ultralytics download the data: {fetch}"
    elif shipped:
        how = f"let ultralytics download the data: {fetch}"
    else:
        how = f"let ultralytics run the code under 'download:', after you have read this code: {fetch}"
    return f"detreduce does not download data. To get it, {how}"


def expand_path(text: str, file: Path) -> str:
    """Expand ``${NAME:-default}`` and a leading ``~``. Raise InputError if a variable is not set and has no default."""
    expanded = expand(text)
    if "${" in expanded:
        raise InputError(
            f"{file}: {text!r} names an environment variable that is not set. "
            "Set the variable, or write a default: ${NAME:-default}."
        )
    return expanded


def candidate_roots(description: Description) -> list[Path]:
    """Return the folders that ``path:`` may refer to, most likely first.

    A relative path may start from the folder of the YAML, the working folder or ultralytics' datasets folders. Raise
    InputError if none of these folders may be read because of DETREDUCE_ROOT.
    """
    given = description.values.get("path")
    if given is None or given == "":
        return [description.folder]
    if not isinstance(given, str):
        raise InputError(f"{description.file}: 'path' must be the path of a folder, not {given!r}.")
    text = expand_path(given, description.file)
    places = [absolute(description.folder / text), absolute(text)]
    if is_shipped(description.file):
        # leave out the folder of the YAML, because no dataset is next to the files that ultralytics ships
        places.pop(0)
    # ultralytics looks in these folders for a relative path that does not exist
    places += [absolute(folder / text) for folder in datasets_folders()]
    allowed = [place for place in dict.fromkeys(places) if not is_outside_root(place)]
    if not allowed:
        raise InputError(f"{description.file}: 'path' {given!r} is outside the folder {os.environ[ROOT]}.")
    return allowed


def find_root(description: Description) -> Path:
    """Return the folder of the dataset. Raise MissingFileError if it does not exist.

    The message lists the paths that were tried, and explains how to get the data.
    """
    candidates = candidate_roots(description)
    for folder in candidates:
        if os.path.isdir(folder):  # noqa: PTH112 (an odd text must not raise)
            return folder
    tried = ", ".join(map(str, candidates))
    raise MissingFileError(
        f"{description.file}: the dataset's folder does not exist. Looked for: {tried}.{description.how_to_get()}"
    )


def annotated_source(
    name: str, description: Description, split: str, find_images: Callable[[Path], Path]
) -> tuple[Source, str]:
    """Return the source that a dataset YAML describes, and the name of the chosen split.

    `name` is the name of the format. For `find_images` and for the errors, see `annotated_splits`.
    """
    root = find_root(description)
    splits = annotated_splits(description, root, find_images)
    return Source(name, description.file, root, splits), choose_split(split, splits, description.file)
