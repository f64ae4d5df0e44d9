"""The method `auto`: drop near-duplicates, then use the method that did best on this kind of data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detreduce.dataset.health.advice import UNEVEN_CLASSES, class_ratio
from detreduce.dataset.health.checks import images_by_class
from detreduce.dataset.records import DetectionDataset
from detreduce.features.request import Extraction
from detreduce.reducers.recommended import EVIDENCE


@dataclass(frozen=True)
class MethodAdvice:
    """The method that `auto` uses for a dataset, and a sentence that explains why."""

    method: str
    reason: str


NOTHING_TO_CHOOSE = MethodAdvice("srs", "Every image that remains is kept, so there is nothing to choose.")


def advise(dataset: DetectionDataset, extraction: Extraction, *, predicted: bool = False) -> MethodAdvice:
    """Return the method that did best in our trials on similar data, given the features that `extraction` can
    provide.

    If `predicted`, a detector will predict the boxes. Our trials did not measure methods on predicted boxes.
    """
    if predicted and extraction.gives_object_vectors:
        return MethodAdvice(
            "herding",
            "With the boxes of a detector, herding is the first choice, as with labels. Our trials measured it with "
            f"labels only ({EVIDENCE}).",
        )
    if not dataset.labelled or not np.any(~dataset.box_crowd):
        return MethodAdvice(
            "facility",
            "Without boxes, facility is the first choice. At 10 % it was above random images on both datasets of our "
            f"trials. It was not shown to be better ({EVIDENCE}).",
        )
    if not extraction.gives_object_vectors:
        return MethodAdvice(
            "class_coverage",
            "With vectors from a file there are no features of boxes. Of the methods that need only the labels, "
            f"class_coverage kept the most mAP in our trials ({EVIDENCE}).",
        )
    return MethodAdvice(
        "herding",
        "With boxes, herding by class means is the first choice. At 10 % it was shown to be better than random on one "
        f"dataset. No other method was shown to be better than herding ({EVIDENCE}).{_limit(dataset)}",
    )


def _limit(dataset: DetectionDataset) -> str:
    """Return a warning if the classes of the dataset are evenly distributed, as `inspect` does.

    Otherwise, return an empty string.
    """
    images = images_by_class(dataset)
    ratio, used = class_ratio(images), sum(map(bool, images.values()))
    if ratio is None or used < 2 or ratio >= UNEVEN_CLASSES:
        return ""
    return " Your classes are more even: on such data (blood cells), no method was shown to differ from random images."
