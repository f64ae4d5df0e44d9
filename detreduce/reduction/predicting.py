"""Let a detector predict boxes for the images to choose from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from detreduce.dataset.records import DetectionDataset, Problem
from detreduce.dataset.views.predicted import PredictedDataset, predictions_of
from detreduce.display.listener import say
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.features.detector.predict import Prediction
from detreduce.features.detector.request import Detector
from detreduce.features.pixels.running import Running
from detreduce.features.request import Extraction
from detreduce.features.table import DETECTOR_BLOCKS, FeatureTable
from detreduce.images.alongside import Alongside

SKIPPED_SHOWN = 20
"""The maximum number of unreadable images that get a line of their own. A video may have thousands of such frames."""


def check_detector(method: str, needs: Collection[str], detector: Detector | None, proxy: str | Path | None) -> None:
    """Raise InputError if a method needs a detector but `detector` is None.

    Also raise InputError if there are a detector and the log of a proxy training. The log describes labels.
    """
    if detector is None and any(name in needs for name in DETECTOR_BLOCKS):
        raise InputError(
            f"The method {method!r} needs the boxes that a detector predicts. Name the weights of a detector "
            "(--detector best.pt)."
        )
    if detector is not None and proxy is not None:
        raise InputError(
            "A proxy training uses labels, and a detector replaces labels. Leave out the detector or the proxy."
        )


def prediction_of(
    detector: Detector, needs: Collection[str], extraction: Extraction, alongside: Alongside | None = None
) -> Prediction:
    """Return the request to predict the boxes that a method with these `needs` uses.

    The device, the batch size, the threads and the cache are those of `extraction`.
    """
    stops = extraction.unreadable == "raise"
    running = Running(extraction.batch, extraction.device, extraction.workers, stops, alongside)
    return Prediction(detector, "disagreement" in needs, running, extraction.cache)


def predict(dataset: DetectionDataset, prediction: Prediction) -> PredictedDataset:
    """Return the dataset with predicted boxes, and report their number.

    Raise InputError if the detector finds no boxes at all.
    """
    predicted = prediction.run(dataset)
    found = predictions_of(predicted)
    assert found is not None
    unused = " Labels are not used to choose." if dataset.labelled else ""
    say(f"Boxes predicted by {found.model}: {found.in_words()}.{unused}")
    if not found.counts["boxes"]:
        raise InputError(
            f"{found.model} finds no boxes with a confidence of at least {prediction.detector.confidence:g}. Use a "
            "lower confidence (--detector-confidence), or a detector that was trained on similar images."
        )
    return predicted


def without_unread(dataset: DetectionDataset) -> FeatureTable | DetectionDataset:
    """Return a dataset without the images that the detector could not read or did not see, as a table without features.

    If there are no such images, return the dataset itself.
    """
    predictions = predictions_of(dataset)
    if predictions is None or not (predictions.failures or predictions.unseen):
        return dataset
    rows = np.array([row for row, boxes in enumerate(predictions.images) if boxes is not None], np.int64)
    problems = [
        Problem(dataset[row].path, f"skipped: {reason}") for row, reason in sorted(predictions.failures.items())
    ]
    say_skipped(problems)
    return FeatureTable(dataset, rows, {}, problems=tuple(problems))


def say_skipped(problems: Sequence[Problem]) -> None:
    """Report one line for each of the first images that cannot be read, and the number of the others."""
    for problem in problems[:SKIPPED_SHOWN]:
        say(f"Skipped: {problem}")
    if (more := len(problems) - SKIPPED_SHOWN) > 0:
        say(f"Skipped: {counted(more, 'more image')}. selection.json lists all.")


def first_images(predicted: DetectionDataset, dataset: DetectionDataset) -> DetectionDataset:
    """Return `dataset` with the predicted boxes of the first images of `predicted`, which are the same images.

    If `predicted` has no predicted boxes, return `dataset`.
    """
    found = predictions_of(predicted)
    if found is None:
        return dataset
    count = len(dataset)
    return PredictedDataset.of(
        dataset,
        replace(
            found,
            images=found.images[:count],
            mirrored=None if found.mirrored is None else found.mirrored[:count],
            failures={row: reason for row, reason in found.failures.items() if row < count},
        ),
    )
