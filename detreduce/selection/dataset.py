"""The dataset that a selection was made on: describe it, find it again, compare it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detreduce.dataset.finding import find
from detreduce.dataset.load import images_to_give, load_dataset, takes_images
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError, MissingFileError


def describe_dataset(dataset: DetectionDataset) -> dict[str, Any]:
    """Return a few facts about a dataset, ready for JSON, with the hash of its content."""
    folder = images_to_give(dataset)
    return {
        "path": str(dataset.source.path),
        "format": dataset.source.format,
        **({"image_folder": str(folder)} if folder else {}),
        "split": dataset.split,
        "images": len(dataset),
        "boxes": int((~dataset.box_crowd).sum()),
        "content_hash": dataset.content_hash,
    }


def find_dataset(provenance: Mapping[str, Any]) -> DetectionDataset:
    """Load the dataset that a selection was made on; raise MissingFileError if it is not there any more."""
    place = provenance.get("dataset", {})
    if not isinstance(place, Mapping) or "path" not in place:
        raise InputError("The selection does not name its dataset: give the dataset (--data).")
    try:
        file = find(place["path"], what="dataset of the selection")
        return load_dataset(file, place.get("split"), place.get("image_folder") if takes_images(file) else None)
    except MissingFileError as error:
        raise MissingFileError(f"{error} If it was moved, give the dataset where it is now (--data).") from None


def check_dataset(dataset: DetectionDataset, provenance: Mapping[str, Any], images: int) -> DetectionDataset:
    """Return the dataset; raise InputError if a selection was made on another one.

    Compared are names, boxes and classes, by their hash in the selection's `provenance`, and its count of `images`.
    """
    made_on = provenance.get("dataset", {})
    if made_on.get("content_hash") in (None, dataset.content_hash) and len(dataset) == images:
        return dataset
    raise InputError(
        f"{dataset.source.path} ({dataset.split}, {len(dataset)} images, {int((~dataset.box_crowd).sum())} boxes) is "
        f"not the dataset of the selection ({made_on.get('path', 'path unknown')}, {made_on.get('split', 'train')}, "
        f"{images} images, {made_on.get('boxes', '?')} boxes): its images or labels changed since."
    )
