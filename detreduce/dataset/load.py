"""One door to every format: tells what a path is and hands it to its loader."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.description import read_description
from detreduce.dataset.listing import absolute
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.splits import canonical_split
from detreduce.dataset.yolo import load_yolo
from detreduce.errors import InputError, MissingFileError


def load_dataset(path: str | Path, split: str | None = None, images: str | Path | None = None) -> DetectionDataset:
    """Load one split of a dataset; nothing is copied, no image is opened."""
    place = absolute(Path(path).expanduser())
    if place.is_dir():
        for name in ("data.yaml", "data.yml"):
            if (place / name).is_file():
                place = place / name
    if not place.exists():
        raise MissingFileError(f"{place}: there is no such dataset file or folder.")
    if place.suffix.lower() in {".yaml", ".yml"}:
        return load_yolo(read_description(place), canonical_split(split or "train"))
    raise InputError(f"{place}: neither a data.yaml, a COCO JSON nor a folder of images.")
