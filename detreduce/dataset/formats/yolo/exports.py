"""Read YOLO exports without a data.yaml: Label Studio's classes.txt, and darknet's obj.data (CVAT's YOLO 1.1)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from detreduce.dataset.formats.yolo.lists import PREFIX
from detreduce.dataset.formats.yolo.read import MOST_UNNAMED
from detreduce.dataset.paths.listing import below
from detreduce.dataset.reading.description import SPLIT_KEYS, Description, read_description
from detreduce.dataset.splits import canonical_split
from detreduce.display.numbers import counted
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import LISTS, is_regular, read_regular

CLASSES, NOTES = "classes.txt", "notes.json"
DARKNET, DARKNET_SUFFIX = "obj.data", ".data"
_NO_SPLITS = ("classes", "names", "backup", "eval", "results")


def is_yolo_export(file: Path) -> bool:
    """Return whether a file takes the place of a data.yaml: Label Studio's classes.txt or darknet's obj.data."""
    return file.name == CLASSES or file.suffix == DARKNET_SUFFIX


def read_yolo_description(file: Path) -> Description:
    """Read a data.yaml, a classes.txt or an obj.data. Raise the same errors as `read_description`."""
    if file.name == CLASSES:
        return _read_label_studio(file)
    return _read_darknet(file) if file.suffix == DARKNET_SUFFIX else read_description(file)


def as_data_yaml(description: Description) -> str:
    """Return the text of a data.yaml with the classes of an export.

    The paths are added later, when a subset is written.
    """
    names = yaml.safe_dump({"names": description.values["names"]}, sort_keys=False, allow_unicode=True)
    return f"# made by detreduce from {description.file.name}\n{names}"


def list_other_files(file: Path) -> list[Path]:
    """Return `file` and the other files of an export, without images, labels and lists.

    For example, the result is classes.txt and notes.json.
    """
    if file.name == CLASSES:
        return [path for path in (file, file.with_name(NOTES)) if is_regular(path)]
    return [file, _find_names_file(file, _read_pairs(file))]


def _read_label_studio(file: Path) -> Description:
    """Read Label Studio's classes.txt, and the class numbers in notes.json.

    Raise InputError if one of the two is a link to a file outside the folder of classes.txt.
    """
    for path in (file, file.with_name(NOTES)):
        if below(os.path.realpath(path), os.path.realpath(file.parent)) is None:
            raise InputError(
                f"{path} leads to a file outside {file.parent}. Replace the link by a copy if you trust the file."
            )
    names = [line.strip() for line in _read_text(file).splitlines() if line.strip()]
    numbered = _read_numbers(file.with_name(NOTES)) or dict(enumerate(names))
    if not numbered:
        raise InputError(f"{file}: the file has no class names. Write one class name per line.")
    # labels use the class numbers in notes.json, which a project can choose freely
    if max(numbered) >= MOST_UNNAMED + len(numbered):
        raise InputError(
            f"{file.with_name(NOTES)}: the class id {max(numbered)} is too large for "
            f"{counted(len(numbered), 'class', 'classes')}. "
            "Number the classes from 0."
        )
    every = {number: numbered.get(number, f"class_{number}") for number in range(max(numbered) + 1)}
    return Description(file, {"train": "images", "names": every})


def _read_numbers(notes: Path) -> dict[int, str]:
    """Return the name of each class by its number, as stated in notes.json.

    The dict is empty if the file cannot be used.
    """
    try:
        found = parse_json(read_regular(notes, LISTS))["categories"]
        numbers = {entry["id"]: str(entry["name"]) for entry in found}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return numbers if all(type(number) is int and number >= 0 for number in numbers) else {}


def _read_darknet(file: Path) -> Description:
    """Read darknet's obj.data, and the file with class names that it refers to."""
    pairs = _read_pairs(file)
    names = [line.strip() for line in _read_text(_find_names_file(file, pairs)).splitlines() if line.strip()]
    values: dict[str, Any] = {"names": dict(enumerate(names))}
    oddities = []
    for key, value in pairs.items():
        if key in _NO_SPLITS:
            continue
        if canonical_split(key).lower() not in SPLIT_KEYS:
            oddities.append(f"the subset {key!r} is not train, val or test; left out")
            continue
        values[key] = _strip_prefix(file, value)
    return Description(file, values, tuple(oddities))


def _read_pairs(file: Path) -> dict[str, str]:
    """Return the lines 'key = value' of obj.data as a dict. Raise InputError if there is no line for names."""
    lines = [line.partition("=") for line in _read_text(file).splitlines()]
    pairs = {key.strip(): value.strip() for key, equals, value in lines if equals}
    if "names" not in pairs:
        raise InputError(f"{file}: not a darknet data file. Add the line 'names = obj.names'.")
    return pairs


def _find_names_file(file: Path, pairs: Mapping[str, str]) -> Path:
    """Return the path of the file with class names that obj.data refers to.

    Raise InputError if this file is outside the folder of obj.data.
    """
    return file.parent / _strip_prefix(file, pairs["names"])


def _strip_prefix(file: Path, value: str) -> str:
    """Return a path that obj.data contains, without the prefix ``data/`` if necessary.

    CVAT writes this prefix, although its archives do not contain a folder ``data``. The prefix is removed if only the
    path without it exists. Raise InputError if the path leads to a file outside the folder of obj.data, directly or
    through links.
    """
    folder = file.parent
    bare = value.removeprefix(PREFIX)
    found = bare if not is_regular(folder / value) and is_regular(folder / bare) else value
    home = os.path.realpath(folder)
    if "\0" in found or below(os.path.realpath(folder / found), home) is None:
        raise InputError(f"{file}: {value!r} is outside {folder}. Put the file next to {file.name}, and name it there.")
    return found


def _read_text(file: Path) -> str:
    """Return the text of a file. Raise MissingFileError if it cannot be read."""
    try:
        return read_regular(file, LISTS).decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise MissingFileError(f"{file}: cannot be read ({error.strerror}).") from None
