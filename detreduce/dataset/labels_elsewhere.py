"""Find labels of images that a user passed as a folder of images without labels, for example only ``JPEGImages``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from detreduce.dataset.formats.unlabelled.read import UnreadLabels
from detreduce.dataset.reading.annotation_kinds import SUFFIXES, Kind, kind_of_file
from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted
from detreduce.errors import DetreduceError
from detreduce.machine.untrusted.regular_files import is_regular, open_regular

LEVELS = 3
"""How many folders above the images are searched."""
FOLDERS = frozenset({"annotations", "annotation", "labels", "label", "xml", "json", "txt"})
LARGEST = 64 << 20
"""A larger file is not loaded to compare its images, in bytes."""
Labelled = tuple[Path, Sequence[DetectionDataset]]
"""The path of a labelled dataset, and its splits."""
_SAMPLES, _FILES = 20, 50
_NOT_READ = "Labels are not read from a folder of images"


def find_labels_elsewhere(
    dataset: DetectionDataset, labelled_in: Callable[[Path], Labelled | None]
) -> UnreadLabels | None:
    """Return a problem that names the labels of the images, or None if none are found.

    `dataset` was loaded from a folder without labels. Labels in the folders above count, and labels in folders such as
    ``Annotations`` there, but only if they belong to the images of `dataset`.

    `labelled_in` returns the labelled dataset in a folder, or None.
    """
    paths = [record.path for record in dataset if record.frame is None]
    if not paths:
        return None
    folder = dataset.source.path
    above = [place for place in folder.parents[:LEVELS] if place != Path.home() and place != place.parent]
    for place in above:
        with suppress(OSError, DetreduceError, ValueError), warnings.catch_warnings(action="ignore"):
            if found := _in_dataset(labelled_in(place), paths):
                return found
    for place in above:
        with suppress(OSError):
            if found := _in_files(place, folder, paths):
                return found
    return None


def _in_dataset(found: Labelled | None, paths: Sequence[Path]) -> UnreadLabels | None:
    """Return a problem if a labelled dataset contains some of the images."""
    if found is None:
        return None
    place, parts = found
    wanted = {os.path.realpath(path) for path in paths}
    count = len(wanted & {os.path.realpath(record.path) for part in parts for record in part})
    what = f"has labels of {counted(count, 'image')} of this folder. {_NOT_READ}. To use them, pass {place}"
    return UnreadLabels(place, what) if count else None


def _in_files(place: Path, images: Path, paths: Sequence[Path]) -> UnreadLabels | None:
    """Return a problem if files in `place`, or in its folders for labels, look like labels of the images."""
    sample = paths[:: max(1, len(paths) // _SAMPLES)]
    folders = [one for one in sorted(place.iterdir()) if one.name.lower() in FOLDERS and one.is_dir() and one != images]
    for folder in [place, *folders]:
        for file, kind in _annotations(folder, sample, own_folder=folder != place):
            what = f"looks like {kind.title} of images of this folder. {_NOT_READ}. {kind.advice}"
            return UnreadLabels(file, what)
    return None


def _annotations(folder: Path, sample: Sequence[Path], *, own_folder: bool) -> Iterator[tuple[Path, Kind]]:
    """Yield annotation files in a folder, with their formats: files of single images, and files that name images."""
    for image in sample if own_folder else ():
        for suffix in (".xml", ".json", ".txt"):
            if kind := kind_of_file(folder / f"{image.stem}{suffix}"):
                yield folder / f"{image.stem}{suffix}", kind
    files = [one for one in sorted(folder.iterdir()) if one.suffix.lower() in SUFFIXES - {".txt"} and is_regular(one)]
    for file in files[:_FILES]:
        if (kind := kind_of_file(file)) and _names_any(file, sample):
            yield file, kind


def _names_any(file: Path, sample: Sequence[Path]) -> bool:
    """Return whether the first part of a file contains the name of one of the images."""
    with open_regular(file) as content:
        head = content.read(LARGEST)
    return any(os.fsencode(image.name) in head for image in sample)
