"""Read a folder of images without labels, for example to choose which images to label."""

from __future__ import annotations

import os
from pathlib import Path

from detreduce.dataset.formats.yolo.read import find_images, label_path_of
from detreduce.dataset.paths.listing import below, find_files
from detreduce.dataset.reading.annotation_kinds import find_unread
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Problem, Source
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import is_regular

_UNREAD = "Labels are not read here, and are not written to a subset"


class UnreadLabels(Problem):
    """A warning that there are label files next to the images of an unlabelled dataset.

    A subset of the dataset will not contain these files.
    """

    __slots__ = ()


def load_unlabelled(source: Source, split: str) -> DetectionDataset:
    """Load the images in the folders and lists of a split, including subfolders, without classes and boxes.

    Files that look like labels of the images are listed as a problem. Raise InputError if there are no images.
    """
    problems: list[Problem] = []
    names = _name_of(source, split, problems)
    if not names:
        folder = source.splits[split].images[0]
        raise InputError(f"{folder}: the folder contains neither images nor a dataset of a known format.")
    boxes = BoxCollector()
    for _ in names:
        boxes.add((), ())
    paths = sorted(names, key=lambda path: (names[path], path))
    records = tuple(
        ImageRecord(below(path, str(source.root)) or Path(path).as_posix(), names[path], Path(path), *arrays)
        for path, arrays in zip(paths, boxes.arrays(), strict=True)
    )
    problems += find_label_files(paths)
    # if the path is a folder, it was checked before, and labels in it are an error
    for folder in source.splits[split].images if is_regular(source.path) else ():
        for unread in find_unread(folder) if folder.is_dir() else ():
            problems.append(UnreadLabels(unread.first, f"looks like {unread.kind.title} ({unread.files}). {_UNREAD}"))
    return DetectionDataset(records, (), (), "cxcywhn", split, source, tuple(problems), labelled=False)


def count_images(source: Source, split: str) -> int:
    """Return the number of images in the folders and lists of a split."""
    return len(_name_of(source, split, []))


def _name_of(source: Source, split: str, problems: list[Problem]) -> dict[str, str]:
    """Map the path of each image in the folders and lists of a split to the name of the image."""
    places = source.splits[split].images
    if len(places) == 1 and places[0].is_dir():
        return {f"{places[0]}{os.sep}{name}": name for name in find_files(places[0], IMAGE_SUFFIXES, problems)}
    return find_images(places, source.root, source.path, problems).names


def find_label_files(paths: list[str]) -> list[UnreadLabels]:
    """Return a problem for each kind of file that looks like labels of the images."""
    problems = []
    for kind, of in (("YOLO labels", label_path_of), ("XML files", lambda path: path.rsplit(".", 1)[0] + ".xml")):
        labels = [label for label in map(of, paths) if is_regular(label)]
        if labels:
            what = (
                f"{counted(len(labels), 'image seems', 'images seem')} to have {kind}. {_UNREAD}. To read "
                "them, load the dataset's own file"
            )
            problems.append(UnreadLabels(Path(labels[0]), what))
    return problems
