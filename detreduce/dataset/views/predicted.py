"""A dataset with predicted boxes in place of labels. It is used to choose images, and is never written."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from detreduce.arrays.predictions import NO_BOXES, PredictedBoxes, Predictions
from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.errors import InputError


@dataclass(frozen=True)
class PredictedDataset(DetectionDataset):
    """The images of a dataset, with the boxes that a detector predicted in place of their labels.

    The boxes of each record and the classes come from the detector. Functions that choose images use them like labels.
    Functions that write images use `given` instead, so that predicted boxes are never written as labels.

    Attributes
    ----------
    given
        The dataset with its own labels, if it has any.
    predictions
        The predicted boxes of the images, in the order of the dataset.
    """

    given: DetectionDataset | None = None
    predictions: Predictions | None = None

    @classmethod
    def of(cls, dataset: DetectionDataset, predictions: Predictions) -> PredictedDataset:
        """Return the images of a dataset with the predicted boxes.

        Raise InputError if the number of predictions is not the number of images.
        """
        given = as_given(dataset)
        if len(predictions) != len(given):
            raise InputError(f"There are predictions for {len(predictions)} images, but the dataset has {len(given)}.")
        records = tuple(
            _with_boxes(record, boxes or NO_BOXES) for record, boxes in zip(given, predictions.images, strict=True)
        )
        same = {one.name: getattr(given, one.name) for one in fields(DetectionDataset)}
        own = {
            "records": records,
            "class_names": predictions.class_names,
            "class_keys": tuple(range(len(predictions.class_names))),
            "box_format": "cxcywhn",
            "labelled": True,
        }
        return cls(**{**same, **own}, given=given, predictions=predictions)

    @cached_property
    def content_hash(self) -> str:
        """The hash of the dataset with its own labels, because it identifies the files."""
        return as_given(self).content_hash


def as_given(dataset: DetectionDataset) -> DetectionDataset:
    """Return the dataset with its own labels. If it has no predicted boxes, this is the dataset itself."""
    if isinstance(dataset, PredictedDataset) and dataset.given is not None:
        return dataset.given
    return dataset


def predictions_of(dataset: DetectionDataset) -> Predictions | None:
    """Return the predictions from which the boxes of a dataset come, or None if the boxes are labels."""
    return dataset.predictions if isinstance(dataset, PredictedDataset) else None


def _with_boxes(record: ImageRecord, boxes: PredictedBoxes) -> ImageRecord:
    first, last = boxes.corners[:, :2], boxes.corners[:, 2:]
    return replace(
        record,
        boxes=np.hstack([(first + last) / 2, last - first]),
        class_ids=boxes.classes,
        crowd=np.zeros(len(boxes), bool),
        label_path=None,
        unreadable=False,
        refused=False,
    )
