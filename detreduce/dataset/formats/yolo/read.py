"""Read YOLO datasets: a data.yaml that names folders, list files or globs, and one label file for each image."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detreduce.dataset.formats.yolo.class_files import class_file_problems
from detreduce.dataset.formats.yolo.label_files import LabelReader
from detreduce.dataset.formats.yolo.labels import Labels
from detreduce.dataset.formats.yolo.lists import read_list
from detreduce.dataset.paths.listing import absolute, below, find_files
from detreduce.dataset.reading.description import Description, candidate_roots, expand_path, split_entries
from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Problem, Source, SplitSource
from detreduce.dataset.splits import canonical_split, choose_split, in_order
from detreduce.display.numbers import counted
from detreduce.display.progress import progress
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.untrusted.confinement import is_outside_root

IMAGES, LABELS = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"

MOST_UNNAMED = 10_000
"""The largest number of classes that may be without names. Each class needs memory for each image."""


def load_yolo(description: Description, split: str) -> DetectionDataset:
    """Load one split of a YOLO data.yaml. Images are not opened.

    Raise InputError if the data.yaml cannot be used or does not have this split. Raise MissingFileError if the images
    of the split are missing. The message lists the paths that were tried.
    """
    problems = [Problem(description.file, what) for what in description.oddities]
    names = read_class_names(description)
    kpt_shape = _read_kpt_shape(description)
    root, splits = _resolve_splits(description, split, problems)
    problems += class_file_problems(description.file, root, splits[split].images, names)
    found = find_images(splits[split].images, root, description.file, problems)
    records = _read_labels(found, root, len(names), kpt_shape, problems)
    source = Source("yolo", description.file, root, splits)
    return DetectionDataset(
        tuple(records), names, tuple(range(len(names))), "cxcywhn", split, source, tuple(dict.fromkeys(problems))
    )


def read_class_names(description: Description) -> tuple[str, ...]:
    """Return the class names in ``names``, which is a list or a mapping from number to name.

    If ``names`` is missing, the classes are called ``class_0``, ``class_1`` and so on, up to the number in ``nc``.
    Raise InputError if ``names`` or ``nc`` is invalid, or if they do not agree on the number of classes.
    """
    file, values = description.file, description.values
    names, count = values.get("names"), values.get("nc")
    if count is not None:
        try:
            whole = int(count)
            if isinstance(count, bool) or whole != float(count) or whole < 1:
                raise ValueError
            count = whole
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{file}: 'nc' must be the number of classes, not {count!r}.") from None
    if names is None:
        if count is None:
            raise InputError(f"{file}: 'names' is missing. Add the class names, for instance 'names: [person, car]'.")
        if count > MOST_UNNAMED:
            raise InputError(
                f"{file}: 'nc' is {count}, and the classes have no names. Add their names, for instance "
                f"'names: [person, car]'. More than {MOST_UNNAMED:,} classes without names are not read."
            )
        return tuple(f"class_{number}" for number in range(count))
    if isinstance(names, dict):
        try:
            numbered = {int(key): str(value) for key, value in names.items()}
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{file}: the keys of 'names' must be class numbers, not {list(names)[:5]!r}.") from None
        if sorted(numbered) != list(range(len(numbered))) or len(numbered) != len(names):
            raise InputError(
                f"{file}: 'names' has {counted(len(names), 'class', 'classes')}. Number them 0-{len(names) - 1}."
            )
        names = [numbered[number] for number in range(len(numbered))]
    if not isinstance(names, list) or not names:
        raise InputError(f"{file}: 'names' must be a list of class names, not {names!r}.")
    if count is not None and count != len(names):
        raise InputError(
            f"{file}: 'nc' is {count}, but 'names' has {counted(len(names), 'class', 'classes')}. Make them equal."
        )
    return tuple(str(name) for name in names)


def _read_kpt_shape(description: Description) -> tuple[int, int] | None:
    """Return ``kpt_shape`` as (number of keypoints, values per keypoint), or None if the key is missing.

    Raise InputError if ``kpt_shape`` is invalid.
    """
    shape = description.values.get("kpt_shape")
    if shape is None:
        return None
    if (
        not isinstance(shape, list | tuple)
        or len(shape) != 2
        or not all(isinstance(value, int) and value > 0 for value in shape)
        or shape[1] not in (2, 3)
    ):
        raise InputError(f"{description.file}: 'kpt_shape' must be [number of keypoints, 2 or 3], not {shape!r}.")
    return shape[0], shape[1]


def _read_splits(description: Description) -> dict[str, list[str]]:
    """Return the entries of each split: folders, list files or globs."""
    declared: dict[str, list[str]] = {}
    for key, value in split_entries(description):
        entries = value if isinstance(value, list) else [value]
        if not all(isinstance(entry, str) and entry for entry in entries):
            raise InputError(
                f"{description.file}: {key!r} must be a folder, a list file or a list of such paths, not {value!r}."
            )
        declared.setdefault(canonical_split(key), [expand_path(entry, description.file) for entry in entries])
    return declared


def split_patterns(description: Description, root: Path) -> list[str]:
    """Return the globs among the entries of all splits, as absolute patterns."""
    entries = [entry for entries in _read_splits(description).values() for entry in entries]
    return [str(absolute(root / entry)) for entry in entries if glob.has_magic(entry)]


def label_folders(source: Source) -> set[Path]:
    """Return the folders called ``labels`` that belong to the images folders of a source."""
    places = {str(path) for split in source.splits.values() for path in split.images if path.is_dir()}
    roots = {f"{place}{os.sep}".rsplit(IMAGES, 1)[0] for place in places if IMAGES in f"{place}{os.sep}"}
    return {Path(f"{root}{LABELS}") for root in roots}


def _resolve_splits(
    description: Description, asked: str, problems: list[Problem]
) -> tuple[Path, dict[str, SplitSource]]:
    """Return the root of the dataset and the sources of all splits.

    Only the files of the split `asked` have to exist.
    """
    file = description.file
    declared = _read_splits(description)
    if not declared:
        raise InputError(f"{file}: no split is named. Add the images folder of each split: 'train: images/train'.")
    choose_split(asked, in_order(declared), file)
    candidates = candidate_roots(description)
    root = next((folder for folder in candidates if folder.is_dir()), None)
    if root is None:
        root = description.folder
        gone = f"'path: {description.values['path']}' does not exist; paths are relative to {root} instead"
    splits: dict[str, SplitSource] = {}
    for split, entries in declared.items():
        places: list[Path] = []
        tried: list[Path] = []
        for entry in entries:
            hits, by_guess = _resolve_entry(entry, root, description.folder, tried)
            if not hits:
                break
            if by_guess:
                problems.append(Problem(file, f"{split}: {entry!r} does not exist; used {hits[0]} instead"))
            places += hits
        else:
            splits[split] = SplitSource(tuple(dict.fromkeys(places)))
            continue
        where = ", ".join(dict.fromkeys(map(str, [*candidates, *tried] if root not in candidates else tried)))
        if split == asked:
            raise MissingFileError(
                f"{file}: the images of {split!r} ({entry}) do not exist. "
                f"Looked for: {where}.{description.how_to_get()}"
            )
        problems.append(Problem(file, f"{split}: {entry!r} does not exist; looked for {where}"))
    if root not in candidates:
        problems.append(Problem(file, gone))
    return root, in_order(splits)


def _resolve_entry(entry: str, root: Path, folder: Path, tried: list[Path]) -> tuple[list[Path], bool]:
    """Return the existing paths that an entry of data.yaml refers to.

    The second value is True if they are not at the place that the entry states. The places that were searched are added
    to `tried`.
    """
    stripped = entry.replace("\\", "/")
    while stripped.startswith("../"):
        stripped = stripped[3:]
    tail = "/".join(stripped.rstrip("/").split("/")[-2:])
    guesses = [root / entry, root / stripped, folder / stripped, root / tail, folder / tail]
    for guess in dict.fromkeys(absolute(guess) for guess in guesses):
        tried.append(guess)
        if is_outside_root(guess):
            continue
        if os.path.exists(guess):  # noqa: PTH110 (an odd text must not raise)
            hits = [guess]
        elif glob.has_magic(str(guess)):
            hits = [absolute(hit) for hit in sorted(glob.glob(str(guess), recursive=True))]  # noqa: PTH207
        else:
            continue
        if hits:
            return hits, guess != absolute(root / entry)
    return [], False


@dataclass
class SplitFiles:
    """The files of a split.

    Attributes
    ----------
    names
        The name of each image, keyed by the absolute path of the image.
    label_roots
        The label files below each labels folder, keyed by the path of the labels folder.
    linked_folders
        The target of each images folder that is a link, keyed by the path of the link. A link with labels next to it is
        not listed.
    """

    names: dict[str, str] = field(default_factory=dict)
    label_roots: dict[str, set[str]] = field(default_factory=dict)
    linked_folders: dict[str, str] = field(default_factory=dict)


def count_images(source: Source, split: str) -> int:
    """Return the number of images in a split, or 0 if it has no images. Labels are not read."""
    try:
        return len(find_images(source.splits[split].images, source.root, source.path, []).names)
    except InputError:
        return 0


def find_images(places: Iterable[Path], root: Path, file: Path, problems: list[Problem]) -> SplitFiles:
    """Return the images in the folders, list files and image files of a split. Raise InputError if there are none."""
    found = SplitFiles()
    places = list(places)
    listed_in: dict[str, Path] = {}
    for place in places:
        if place.is_dir():
            pairs = [(f"{place}{os.sep}{name}", name) for name in find_files(place, IMAGE_SUFFIXES, problems)]
            _find_label_folder(place, found)
        elif place.suffix.lower() in IMAGE_SUFFIXES:
            pairs = [(str(place), _find_name(str(place), root))]
        elif place.suffix.lower() == ".txt":
            pairs = [(path, _find_name(path, root)) for path in read_list(place, root, problems)]
        else:
            raise InputError(f"{file}: {place} cannot be used. Name a folder, an image or a .txt list of images.")
        for path, name in pairs:
            if path in found.names:
                problems.append(
                    Problem(listed_in[path], f"{found.names[path]}: listed twice, used once (again in {place})")
                )
            else:
                found.names[path] = name
                listed_in[path] = place
    if not found.names:
        raise InputError(f"{file}: no images in {', '.join(map(str, places))}.")
    return found


def _find_label_folder(folder: Path, found: SplitFiles) -> None:
    """Add the label files that belong to an images folder to `found`.

    If the folder is a link without labels next to it, use the folder to which it points.
    """
    for place in dict.fromkeys([str(folder), os.path.realpath(folder)]):
        labels = LABELS.join(f"{place}{os.sep}".rsplit(IMAGES, 1))
        if labels != f"{place}{os.sep}" and Path(labels).is_dir():
            found.label_roots[labels] = {labels + name for name in find_files(labels, {".txt"}, with_folders=True)}
            if place != str(folder):
                found.linked_folders[f"{folder}{os.sep}"] = f"{place}{os.sep}"
            return


def _find_name(path: str, root: Path) -> str:
    """Return the path of an image relative to the last folder called ``images``, or relative to the root."""
    if IMAGES in path:
        return path.rsplit(IMAGES, 1)[1].replace(os.sep, "/")
    return below(path, str(root)) or Path(path).name


def label_path_of(image: str) -> str:
    """Return the path at which ultralytics looks for the label file of an image.

    The last ``/images/`` in the path is replaced by ``/labels/``, and the suffix by ``.txt``.
    """
    return LABELS.join(image.rsplit(IMAGES, 1)).rsplit(".", 1)[0] + ".txt"


def _label_file(image: str, found: SplitFiles) -> str | None:
    """Return the label file of an image, or None if it does not exist."""
    for folder, target in found.linked_folders.items():
        if image.startswith(folder):
            image = target + image[len(folder) :]
    label = label_path_of(image)
    for folder, files in found.label_roots.items():
        if label.startswith(folder):
            return label if label in files else None
    # a path that exists but is not a file counts as an unreadable label file, not as a missing one
    return label if os.path.lexists(label) else None


def _read_labels(
    found: SplitFiles, root: Path, n_classes: int, kpt_shape: tuple[int, int] | None, problems: list[Problem]
) -> list[ImageRecord]:
    """Return the records of a split, sorted by name. For faults in label files, add problems."""
    rows = sorted((name, below(path, str(root)) or Path(path).as_posix(), path) for path, name in found.names.items())
    reader = LabelReader(n_classes, kpt_shape)
    files: list[str | None] = []
    with progress("reading labels", len(rows), "files") as advance:
        for _, _, path in rows:
            files.append(_label_file(path, found))
            reader.read(files[-1])
            advance()
        reader.finish()
    owner: dict[str, str] = {}
    for number, (file, (name, _, _)) in enumerate(zip(files, rows, strict=True)):
        if file is None:
            continue
        if file in owner:
            problems.append(Problem(Path(file), f"is the label file of two images: {owner[file]} and {name}"))
        owner[file] = name
        if number in reader.odd:
            problems.extend(Problem(Path(file), what, line) for line, what in reader.odd[number].findings)
    _report_unmatched(rows, owner, found, problems)
    nothing = Labels()
    return [
        ImageRecord(
            image_id,
            name,
            Path(path),
            *arrays,
            label_path=None if file is None else Path(file),
            unreadable=bool(odd.findings) and not odd.boxes,
            refused=odd.refused,
        )
        for (name, image_id, path), arrays, file, odd in zip(
            rows,
            reader.boxes.arrays(),
            files,
            (reader.odd.get(number, nothing) for number in range(len(rows))),
            strict=True,
        )
    ]


def _report_unmatched(
    rows: list[tuple[str, str, str]], owner: Mapping[str, Any], found: SplitFiles, problems: list[Problem]
) -> None:
    """Add a problem if no image has a label file, and a problem for each label file without an image."""
    if not owner:
        first = rows[0][2]
        problems.append(
            Problem(
                Path(first),
                f"none of the images ({len(rows):,}) has a label file (expected for this one: {label_path_of(first)})",
            )
        )
    for files in found.label_roots.values():
        unused = sorted(files - owner.keys())
        problems += [Problem(Path(file), "is not the label file of an image in the split") for file in unused]
