"""Find the predicted boxes of the images that are exported as labelling tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from detreduce.arrays.predictions import PredictedBoxes, Predictions
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.views.predicted import predictions_of
from detreduce.errors import InputError
from detreduce.features.detector.predict import Prediction
from detreduce.features.detector.request import Detector
from detreduce.features.detector.stored import stored_predictions
from detreduce.selection.record import Selection


def stored_prelabels(selection: Selection, dataset: DetectionDataset, cache: str | Path | None = None) -> Predictions:
    """Return the boxes by which a selection was made, for the images of `dataset`.

    The boxes come from the cache. Weights that the selection names are never loaded. Raise InputError if no detector
    predicted boxes, or if the cache does not have the boxes of a chosen image.
    """
    made = selection.provenance.get("detector")
    if not made:
        raise InputError(
            "The selection was made without a detector, so there are no predicted boxes. Name a detector "
            "(--detector best.pt)."
        )
    found = predictions_of(stored_predictions(dataset, made, cache, frozenset(selection.image_ids)))
    assert found is not None
    return found


def made_prelabels(
    selection: Selection, dataset: DetectionDataset, detector: Detector, cache: str | Path | None = None
) -> Predictions:
    """Let a detector predict the boxes of the chosen images. The other images of `dataset` have no prediction."""
    rows = sorted(dataset.row_of[image] for image in selection.image_ids)
    few = replace(dataset, records=tuple(dataset[row] for row in rows))
    found = predictions_of(Prediction(detector, cache=cache).run(few))
    assert found is not None
    images: list[PredictedBoxes | None] = [None] * len(dataset)
    for row, boxes in zip(rows, found.images, strict=True):
        images[row] = boxes
    failures = {rows[place]: reason for place, reason in found.failures.items()}
    return replace(found, images=images, failures=failures)


def for_written(
    predictions: Predictions,
    dataset: DetectionDataset,
    written: DetectionDataset,
    originals: Mapping[ImageId, ImageId],
) -> Predictions:
    """Return the predictions for the images that a reduction wrote, in the order of `written`.

    `predictions` has the boxes of the images of `dataset`. `originals` maps the ids of written images to their ids in
    `dataset`.
    """
    images = [
        predictions.images[dataset.row_of[originals[record.id]]] if record.id in originals else None
        for record in written
    ]
    return replace(predictions, images=images, mirrored=None, failures={})
