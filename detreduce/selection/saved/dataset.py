"""The dataset of a selection: describe it, find it again later, and check that it has not changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detreduce.dataset.load import images_to_give, load_dataset, takes_images
from detreduce.dataset.paths.finding import find
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.views.predicted import as_given
from detreduce.display.numbers import counted
from detreduce.errors import InputError, MissingFileError
from detreduce.selection.saved.data import SelectionData


def describe_dataset(dataset: DetectionDataset) -> dict[str, Any]:
    """Return facts that identify a dataset, for example its path, its split and a hash of its content.

    All values are ready for JSON.
    """
    dataset = as_given(dataset)
    folder = images_to_give(dataset)
    return {
        "path": str(dataset.source.path),
        "format": dataset.source.format,
        **({"image_folder": str(folder)} if folder else {}),
        "split": dataset.split,
        **({"every": dataset.source.every} if dataset.source.every else {}),
        "images": len(dataset),
        "boxes": int((~dataset.box_crowd).sum()),
        "content_hash": dataset.content_hash,
    }


def find_dataset(provenance: Mapping[str, Any]) -> DetectionDataset:
    """Load the dataset from which a selection was made. Raise MissingFileError if it no longer exists."""
    place = provenance.get("dataset", {})
    if not isinstance(place, Mapping) or "path" not in place:
        raise InputError("The selection does not name its dataset. Pass the dataset (--data).")
    try:
        file = find(place["path"], what="dataset of the selection")
        folder = place.get("image_folder") if takes_images(file) else None
        return load_dataset(file, place.get("split"), folder, every=place.get("every"))
    except MissingFileError as error:
        raise MissingFileError(f"{error} If the dataset was moved, pass its new path (--data).") from None


def check_selection(dataset: DetectionDataset, selection: SelectionData) -> DetectionDataset:
    """Return the dataset if the selection was made from it. Otherwise raise InputError.

    The checks of `check_dataset` apply. In addition, the row that the selection stores for an image must contain this
    image in the dataset.
    """
    check_dataset(dataset, selection.provenance, len(selection.scores))
    for row, image in zip(selection.indices.tolist(), selection.image_ids, strict=True):
        if dataset[row].id != image:
            raise InputError(
                f"The selection was edited: row {row} of {dataset.source.path} is the image {dataset[row].id!r}, and "
                f"the selection calls it {image!r}."
            )
    for pair in selection.duplicates.get("pairs", ()):
        for image in (pair["copy"], pair["kept"]):
            if image not in dataset.row_of:
                raise InputError(
                    f"The selection was edited: its duplicates name the image {image!r}, which is not in "
                    f"{dataset.source.path}."
                )
    return dataset


def check_dataset(dataset: DetectionDataset, provenance: Mapping[str, Any], images: int) -> DetectionDataset:
    """Return the dataset if a selection was made from it. Otherwise raise InputError.

    The dataset must have `images` images, and the same hash of names, boxes and classes as in `provenance`.
    """
    made_on = provenance.get("dataset", {})
    if made_on.get("content_hash") in (None, dataset.content_hash) and len(dataset) == images:
        return dataset
    raise InputError(
        f"{dataset.source.path} ({dataset.split}, {counted(len(dataset), 'image')}, "
        f"{counted(int((~dataset.box_crowd).sum()), 'box', 'boxes')}) is "
        f"not the dataset of the selection ({made_on.get('path', 'path unknown')}, {made_on.get('split', 'train')}, "
        f"{images} images, {made_on.get('boxes', '?')} boxes). Pass the dataset that the images were "
        "chosen from, with unchanged images and labels."
    )
