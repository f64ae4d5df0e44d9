"""A folder of images without labels: for choosing what to label."""

from __future__ import annotations

import os
from pathlib import Path

from detreduce.dataset.assembly import BoxCollector
from detreduce.dataset.listing import below, find_files
from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Problem, Source
from detreduce.errors import InputError


def load_unlabelled(source: Source, split: str) -> DetectionDataset:
    """Load the images below the split's folder, sub-folders included, as a dataset without classes or boxes.

    Files beside the images that look like labels are listed as a problem. InputError where there are no images.
    """
    folder = source.splits[split].images[0]
    names = find_files(folder, IMAGE_SUFFIXES)
    if not names:
        raise InputError(f"{folder}: neither a dataset (data.yaml, COCO JSON, VOC folder) nor a folder of images.")
    boxes = BoxCollector()
    for _ in names:
        boxes.add((), ())
    paths = [f"{folder}{os.sep}{name}" for name in names]
    records = tuple(
        ImageRecord(below(path, str(source.root)) or Path(path).as_posix(), name, Path(path), *arrays)
        for path, name, arrays in zip(paths, names, boxes.arrays(), strict=True)
    )
    problems = _labels_nearby(folder, set(names))
    return DetectionDataset(records, (), (), "cxcywhn", split, source, tuple(problems), labelled=False)


def count_images(source: Source, split: str) -> int:
    """Count the images of a split's folder."""
    return len(find_files(source.splits[split].images[0], IMAGE_SUFFIXES))


def _labels_nearby(folder: Path, names: set[str]) -> list[Problem]:
    stems = {name.rsplit(".", 1)[0] for name in names}
    beside = [file for file in find_files(folder, {".txt", ".xml"}) if file.rsplit(".", 1)[0] in stems]
    problems = []
    if beside:
        problems.append(
            Problem(folder / beside[0], f"{len(beside)} label files lie beside the images; they are not read")
        )
    twin = folder.parent / "labels"
    inner = folder / "labels"
    for labels in [twin] if folder.name == "images" and twin.is_dir() else [inner] if inner.is_dir() else []:
        problems.append(
            Problem(labels, "a folder of labels that is not read; load the data.yaml that names its classes")
        )
    return problems
