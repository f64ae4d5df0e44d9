"""The dataset that a selection was made on: found again, and compared."""

from __future__ import annotations

from collections.abc import Mapping

from detreduce.dataset.load import load_dataset, takes_images
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError, MissingFileError
from detreduce.paths import find
from detreduce.selection import Selection


def find_dataset(selection: Selection) -> DetectionDataset:
    """Load the dataset that a selection says it was made on; MissingFileError says where it was looked for."""
    place = selection.provenance.get("dataset", {})
    if not isinstance(place, Mapping) or "path" not in place:
        raise InputError("The selection does not say on which dataset it was made: give the dataset (--data).")
    try:
        file = find(place["path"], what="dataset of the selection")
        return load_dataset(file, place.get("split"), place.get("image_folder") if takes_images(file) else None)
    except MissingFileError as error:
        raise MissingFileError(f"{error} If it was moved, give the dataset where it is now (--data).") from None


def check_dataset(selection: Selection, dataset: DetectionDataset) -> DetectionDataset:
    """Return the dataset; InputError where its names, boxes or classes are not those that the selection was made on."""
    made_on = selection.provenance.get("dataset", {})
    if made_on.get("content_hash") in (None, dataset.content_hash) and len(dataset) == len(selection.scores):
        return dataset
    raise InputError(
        f"{dataset.source.path} ({dataset.split}, {len(dataset)} images, {int((~dataset.box_crowd).sum())} boxes) is "
        f"not what the selection was made on ({made_on.get('path', 'path unknown')}, {made_on.get('split', 'train')}, "
        f"{len(selection.scores)} images, {made_on.get('boxes', '?')} boxes): its images or labels changed since."
    )
