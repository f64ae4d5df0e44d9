"""Load a dataset of any format: find out the format, then call its reader."""

from __future__ import annotations

import os
import shlex
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from detreduce.dataset.formats.registry import all_formats, get_format
from detreduce.dataset.labels_elsewhere import LARGEST, find_labels_elsewhere
from detreduce.dataset.paths.file_names import check_file_names, names_as_utf8
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.paths.outside import check_outside
from detreduce.dataset.reading.annotation_kinds import kind_of_file
from detreduce.dataset.reading.description import Description, read_description
from detreduce.dataset.reading.loaded_files import LoadedFiles
from detreduce.dataset.records import DetectionDataset, Source
from detreduce.dataset.splits import MissingSplitError, canonical_split, choose_split
from detreduce.display.progress import step
from detreduce.errors import DetreduceError, InputError, MissingFileError, nearest
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.regular_files import is_regular, watched_reads
from detreduce.ultralytics_bridge.config_folder import nearest_dataset, shipped_dataset

YAML_SUFFIXES = frozenset({".yaml", ".yml"})
YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
DEFAULT = "yolo"
"""The format of a dataset YAML that does not have the key ``format:``."""
LEVELS = 2
"""How many levels of subfolders are searched for datasets."""
NAMED = 20
"""The largest number of datasets that a message names."""
DEMO = "demo"
"""The value of ``format:`` for the demo, a YOLO dataset that is made when it is loaded."""


def load_dataset(
    path: str | Path,
    split: str | None = None,
    images: str | Path | None = None,
    *,
    outside: bool = True,
    every: str | int | None = None,
) -> DetectionDataset:
    """Load one split of a dataset. No file is copied, and no image is opened.

    If the dataset consists of videos, each of their frames counts as an image. The packets of a video are read to find
    its frames, but only its first frame is decoded.

    ``dataset.problems`` lists the problems that were found while loading, and ``dataset.source.splits`` all splits of
    the dataset.

    Parameters
    ----------
    path
        A file or folder in any known format, for example a YOLO data.yaml, a COCO JSON or a folder of images. It can
        also be a folder that contains one dataset, a dataset YAML with ``format:``, or the name of a dataset that
        ultralytics ships (``coco8.yaml``). The page on formats lists all formats.
    split
        ``train``, ``val`` (also called ``valid`` or ``validation``), ``test`` or another split of the dataset. The
        default is ``train``. For a COCO JSON, the default is the split that the file contains.
    images
        The folder of the images, for an annotation file that does not name it (COCO, CVAT, Label Studio). By default,
        the images of a COCO JSON are searched for in the folder of the JSON. For ``instances_train2017.json``,
        ``../train2017`` and ``../images/train2017`` are tried next. The default for CVAT and Label Studio is the folder
        ``images`` next to the file if it exists, otherwise the folder of the file.
    outside
        Whether to follow links and paths that lead out of the dataset's folder. Even then, links are followed only to
        images (recognised by their suffix or first bytes) and to files that can be parsed as labels. `dataset.outside`
        is the number of such files.
    every
        Which frames of videos are used. ``"0.5s"``, the default, means one frame every half second, and 10 means every
        tenth frame.

    Raises
    ------
    MissingFileError
        The file, its images, or a folder that a YAML names does not exist. The message lists the paths that were tried.
    InputError
        The path is not a dataset, a file cannot be used, or the split does not exist. If the split does not exist, the
        message lists the known splits.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{path!r} is not a path. Pass the path of a dataset YAML, an annotation file or a folder.")
    with _one_error(path):
        place = absolute(Path(path).expanduser())
        shipped = None if os.path.lexists(place) else shipped_dataset(str(path))
        with step("reading the dataset"):
            dataset = _remembered(lambda: _every(_load(_dataset_in(shipped or place), split, images), every), outside)
            if not dataset.labelled and dataset.source.path.is_dir():
                dataset = _with_labels_elsewhere(dataset)
            return dataset if images is None else replace(dataset, source=replace(dataset.source, images=Path(images)))


def _with_labels_elsewhere(dataset: DetectionDataset) -> DetectionDataset:
    """Add a problem if the images of an unlabelled folder have labels outside this folder."""
    found = find_labels_elsewhere(dataset, _labelled_in)
    if found is None:
        return dataset
    folder = dataset.source.path
    # the new problem also names the path to pass, so it replaces a problem about the same labels
    others = [one for one in dataset.problems if type(one) is not type(found) or one.file.is_relative_to(folder)]
    return replace(dataset, problems=(*others, found))


def _every(dataset: DetectionDataset, every: str | int | None) -> DetectionDataset:
    """Reload a dataset of videos with the frames that `every` selects. If `every` is None, return it unchanged.

    Raise InputError if the dataset does not consist of videos.
    """
    if every is None:
        return dataset
    source = dataset.source
    if source.every is None:
        raise InputError(f"{source.path}: every={every!r} is for videos only. Leave it out (--every).")
    return get_format(source.format).load_split(replace(source, every=str(every)), dataset.split)


def load_any_split(path: str | Path, images: str | Path | None = None) -> DetectionDataset:
    """Load the split train. If there is none, load the first split. Raise the same errors as `load_dataset`."""
    try:
        return load_dataset(path, images=images)
    except MissingSplitError as error:
        if not error.known:
            raise
        return load_dataset(path, split=error.known[0], images=images)


def load_split(source: Source, split: str) -> DetectionDataset:
    """Load another split of a dataset that was loaded before. Raise the same errors as `load_dataset`.

    The images folder that the caller passed for the first split is used again.
    """
    with _one_error(source.path):
        chosen = choose_split(split, source.splits, source.path)
        loaded = _remembered(lambda: get_format(source.format).load_split(source, chosen), source.outside)
        return replace(loaded, source=replace(loaded.source, origin=source.origin, images=source.images))


@contextmanager
def _one_error(path: str | os.PathLike[str]) -> Iterator[None]:
    """Convert errors of the file system, such as a name that is too long, to InputError."""
    try:
        yield
    except DetreduceError:
        raise
    except OSError as error:
        raise InputError(f"{error.filename or path}: cannot be read ({error.strerror}).") from error


def _remembered(load: Callable[[], DetectionDataset], outside: bool) -> DetectionDataset:
    """Load a dataset, and record the state of its files so that later changes are noticed."""
    loaded = LoadedFiles()
    with watched_reads(loaded.note), names_as_utf8():
        dataset = check_outside(load(), follow=outside)
    check_file_names(dataset)
    loaded.note_images(dict.fromkeys(record.file for record in dataset))
    return replace(dataset, loaded=loaded)


def images_to_give(dataset: DetectionDataset) -> Path | None:
    """Return the images folder to pass to `load_dataset` to load the dataset again, or None if none is needed."""
    split = dataset.source.splits.get(dataset.split)
    return split.images[0] if split and takes_images(dataset.source.path) else None


def takes_images(path: Path) -> bool:
    """Return whether a path is an annotation file that does not name the folder of its images."""
    return bool(path.suffix) and any(path.suffix.lower() == row.images_for for row in all_formats())


def _load(place: Path, split: str | None, images: str | Path | None) -> DetectionDataset:
    """Load a dataset file or folder with the first format that accepts its path."""
    if images is not None and not takes_images(place):
        suffixes = ", ".join(sorted({row.images_for for row in all_formats() if row.images_for}))
        raise InputError(
            f"{place}: images= is for annotation files ({suffixes}) only. "
            "Remove images=. Other datasets say where their images are."
        )
    if place.suffix.lower() in YAML_SUFFIXES and not place.is_dir():
        return _load_description(read_description(place), split)
    folder = absolute(Path(images).expanduser()) if images is not None else None
    for row in all_formats():
        if (row.labelled and row.accepts_folder(place)) if place.is_dir() else row.accepts_file(place):
            return row.load_path(place, split, folder)
    for row in all_formats() if place.is_dir() else ():
        if row.accepts_images(place) or (not row.labelled and row.accepts_folder(place)):
            with _datasets_named(place):
                return row.load_path(place, split, folder)
    if zipfile.is_zipfile(place):
        raise InputError(f"{place}: this is a zip file. Unpack the file and pass the resulting folder.")
    if kind := kind_of_file(place):
        raise InputError(f"{place}: this is {kind.title}, which cannot be loaded as a file. {kind.advice}.")
    examples = ", ".join(row.example for row in all_formats())
    raise InputError(f"{place}: this is not a dataset. Pass one of: a data.yaml, {examples}.")


def _dataset_in(path: Path) -> Path:
    """Return the path of the dataset in a folder: the folder itself, a file in it, or a subfolder.

    The path of a file is returned unchanged.
    """
    if not os.path.exists(path):  # noqa: PTH110 (an odd text must not raise)
        hint = suggest_path(path) or suggest_folder(Path(), path) or nearest_dataset(path.name)
        raise MissingFileError(f"{path}: this dataset file or folder does not exist.{hint}")
    if not path.is_dir():
        return path
    if described := _find_described(path):
        return described
    if _is_labelled_folder(path):
        return path
    for file in _candidates(path):
        if is_regular(file):
            return file
    nested = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and _is_labelled_folder(folder)]
    if len(nested) > 1:
        names = ", ".join(folder.name for folder in nested)
        raise InputError(f"{path}: the folder contains several datasets: {names}. Pass the path of one dataset.")
    return nested[0] if nested else path


def _labelled_in(folder: Path) -> tuple[Path, list[DetectionDataset]] | None:
    """Return the path and the splits of the labelled dataset in a folder, or None if there is none.

    Datasets in subfolders do not count, and large annotation files are not read.
    """
    place = _find_described(folder) or (folder if _is_labelled_folder(folder) else None)
    place = place or next((file for file in _candidates(folder) if is_regular(file)), None)
    if place is None or (is_regular(place) and place.stat().st_size > LARGEST):
        return None
    parts = [load_any_split(place)]
    for split in parts[0].source.splits if parts[0].labelled else ():
        with suppress(OSError, DetreduceError):
            parts += [load_split(parts[0].source, split)] * (split != parts[0].split)
    return (place, parts) if parts[0].labelled else None


def suggest_folder(start: Path, missing: Path) -> str:
    """Return a sentence that suggests to pass the folder of a missing file, or an empty string.

    For example, if ``export/data.yaml`` is missing but ``export`` can be loaded as a dataset, the sentence suggests
    ``export``. If `missing` is a relative path, it is relative to `start`.
    """
    folder = start / missing.parent
    if missing.suffix and os.path.isdir(folder):  # noqa: PTH112 (an odd text must not raise)
        with suppress(OSError, InputError):
            if _dataset_in(folder) != folder or _is_labelled_folder(folder):
                return f" The folder {str(missing.parent)!r} is a dataset. Pass this folder."
    return ""


@contextmanager
def _datasets_named(folder: Path) -> Iterator[None]:
    """If a folder cannot be loaded, raise an error that lists the datasets in the folder and its subfolders."""
    try:
        yield
    except InputError:
        found = list(islice(datasets_below(folder), NAMED + 1))
        if not found:
            raise
        many = f"more than {NAMED} datasets" if len(found) > NAMED else f"{len(found)} dataset{'s' * (len(found) > 1)}"
        listed = "".join(f"\n  detreduce inspect {shlex.quote(str(path))}" for path in found[:NAMED])
        raise InputError(
            f"{folder}: this is not a dataset, but a folder with {many}. Pass one, for instance:{listed}"
        ) from None


def datasets_below(folder: Path, levels: int = LEVELS) -> Iterator[Path]:
    """Yield the dataset YAMLs in a folder, then the datasets in its subfolders, down to `levels` levels."""
    entries = sorted(folder.iterdir())
    for file in entries:
        if file.suffix.lower() in YAML_SUFFIXES and is_regular(file) and _describes_dataset(file):
            yield file
    for below in entries if levels else ():
        if not below.is_dir() or below.is_symlink():
            continue
        with suppress(OSError, InputError):
            place = _dataset_in(below)
            if place != below or _is_labelled_folder(below):
                yield place
            else:
                yield from datasets_below(below, levels - 1)


def _describes_dataset(file: Path) -> bool:
    """Return whether a YAML describes a dataset."""
    with suppress(InputError):
        return bool({"format", "train", "val", "test"} & read_description(file).values.keys())
    return False


def _find_described(folder: Path) -> Path | None:
    """Return the YAML with the key ``format:`` in a folder, or None."""
    for name in YAML_NAMES:
        if is_regular(folder / name):
            with suppress(InputError):
                if "format" in read_description(folder / name).values:
                    return folder / name
    return None


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the paths at which the dataset of a folder may be, most certain first."""
    yield from (folder / name for name in YAML_NAMES)
    for row in all_formats():
        yield from row.sure_files(folder)
    for row in all_formats():
        yield from row.likely_files(folder)


def _is_labelled_folder(folder: Path) -> bool:
    """Return whether any format with labels accepts a folder."""
    return any(row.labelled and row.accepts_folder(folder) for row in all_formats())


def _load_description(description: Description, split: str | None) -> DetectionDataset:
    """Load the dataset that a YAML describes, in the format that its key ``format:`` names."""
    name = description.values.get("format", DEFAULT)
    if name == DEMO:
        made = _load_description(_make_demo(description), split)
        return replace(made, source=replace(made.source, origin=description.file))
    rows = {row.name: row for row in all_formats() if row.load_yaml is not None}
    load_yaml = rows[name].load_yaml if isinstance(name, str) and name in rows else None
    if load_yaml is None:
        known = [*rows, DEMO]
        raise InputError(
            f"{description.file}: unknown format {name!r}. Use one of: {', '.join(known)}.{nearest(str(name), known)}"
        )
    return load_yaml(description, canonical_split(split or "train"))


def _make_demo(description: Description) -> Description:
    """Return the data.yaml of the demo dataset, which is made first if it does not exist yet.

    The keys under ``make:`` in the YAML are the arguments of `detreduce.dataset.demo.make_demo`, for example
    ``scenes: 8``.
    """
    from detreduce.dataset.demo import demo_data_yaml

    make = description.values.get("make") or {}
    if not isinstance(make, Mapping):
        raise InputError(
            f"{description.file}: 'make' must be a mapping of the demo's parameters, "
            f"for instance {{scenes: 8}}, not {make!r}."
        )
    return read_description(demo_data_yaml(make))
