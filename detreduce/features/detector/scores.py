"""Scores of images, computed from predicted boxes: how uncertain a detector is, and how much it contradicts itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detreduce.arrays.predictions import PredictedBoxes


def uncertainties(images: Sequence[PredictedBoxes | None]) -> npt.NDArray[np.float32]:
    """Return the uncertainty of each image, (n, 3) float32: the sum, the mean and the maximum over its boxes.

    The uncertainty of a box is (1 - (p1 - p2))^2, where p1 and p2 are the confidences of the two most likely classes
    (Brust et al. 2019, VISAPP, arXiv 1809.09875). It is 0 for an image without boxes, and NaN for an image without a
    prediction.
    """
    found = np.zeros((len(images), 3))
    for row, boxes in enumerate(images):
        if boxes is None:
            found[row] = np.nan
        elif len(boxes):
            second = 0.0 if boxes.runners_up is None else boxes.runners_up
            values = (1.0 - (boxes.confidences - second)) ** 2
            found[row] = values.sum(), values.mean(), values.max()
    return found.astype(np.float32)


def disagreements(
    images: Sequence[PredictedBoxes | None], mirrored: Sequence[PredictedBoxes | None]
) -> npt.NDArray[np.float32]:
    """Return how much the boxes in each image differ from the boxes in its mirrored copy, (n, 1) float32.

    The disagreement is 1 minus the mean IoU of matched boxes, from 0 to 1. A box is matched with at most one box of the
    same class, so that the sum of the IoUs is as large as possible. A box without a match has the IoU 0. The weight of
    a box is its confidence. Without any box, the disagreement is 0. It is NaN for an image without a prediction.

    Kao et al. 2018 (ACCV, arXiv 1801.05124) weight the IoUs of a box and its counterpart in a changed image by the
    confidence. Elezi et al. 2022 (CVPR, arXiv 2106.11921) compare an image with its mirrored copy.
    """
    found = [_disagreement(one, other) for one, other in zip(images, mirrored, strict=True)]
    return np.array(found, np.float32).reshape(-1, 1)


def _disagreement(one: PredictedBoxes | None, other: PredictedBoxes | None) -> float:
    if one is None or other is None:
        return np.nan
    total = float(one.confidences.sum() + other.confidences.sum())
    if not total:
        return 0.0
    agreed = 0.0
    for kind in np.intersect1d(one.classes, other.classes).tolist():
        ours, theirs = np.flatnonzero(one.classes == kind), np.flatnonzero(other.classes == kind)
        agreed += _agreed(one, ours, other, theirs)
    return min(1.0, max(0.0, 1.0 - agreed / total))


def _agreed(
    one: PredictedBoxes, ours: npt.NDArray[np.int64], other: PredictedBoxes, theirs: npt.NDArray[np.int64]
) -> float:
    """Return the sum of the IoUs of the matched boxes of one class, weighted by the confidences of both boxes."""
    import torch
    from scipy.optimize import linear_sum_assignment
    from torchvision.ops import box_iou

    overlaps = box_iou(*(torch.from_numpy(np.ascontiguousarray(c)) for c in (one.corners[ours], other.corners[theirs])))
    overlaps = overlaps.nan_to_num(0.0).numpy()
    first, second = linear_sum_assignment(overlaps, maximize=True)
    weights = one.confidences[ours[first]] + other.confidences[theirs[second]]
    return float((overlaps[first, second] * weights).sum())
