"""Recognise and load CVAT's annotations.xml: defines the `Format` `CVAT`."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.formats.cvat.read import ANNOTATIONS, count_images, default_images, find_cvat_splits, load_cvat
from detreduce.dataset.formats.cvat.write import write_cvat
from detreduce.dataset.formats.format import Format
from detreduce.dataset.reading.description import Description, annotated_source
from detreduce.dataset.records import DetectionDataset, Source
from detreduce.dataset.splits import choose_split


def accepts_file(file: Path) -> bool:
    """Return whether a file has the suffix of XML."""
    return file.suffix.lower() == ".xml"


def load_path(file: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load an annotations.xml. Raise the same errors as `load_cvat`."""
    splits = find_cvat_splits(file, images)
    return load_cvat(Source("cvat", file, file.parent, splits), choose_split(split or "train", splits, file))


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a dataset YAML with ``format: cvat``. Raise the same errors as `annotated_source` and `load_cvat`."""
    return load_cvat(*annotated_source("cvat", description, split, default_images))


CVAT = Format(
    name="cvat",
    example="CVAT's annotations.xml",
    accepts_file=accepts_file,
    sure_files=lambda folder: [folder / ANNOTATIONS],
    images_for=".xml",
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_cvat,
    count_images=count_images,
    write=write_cvat,
)
