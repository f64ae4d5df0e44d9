"""Compute the mAP on resampled images from the evidence of an evaluation, without new predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from detreduce.training.evaluation.evidence import THRESHOLDS, Evidence

# the recalls at which pycocotools evaluates precision, computed in the same way as in pycocotools
RECALLS = np.linspace(0.0, 1.0, 101)
# largest number of entries in a temporary array (8 MB)
BLOCK = 1_000_000


def mean_ap(evidence: Evidence, weights: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return mAP50 and mAP50-95 for one or more resamples of the images.

    A resample contains each image zero or more times. The result equals the mAP that pycocotools computes for a dataset
    with a separate image for each copy, up to rounding errors. The results can differ if two predictions of one class
    on one image have equal confidence. Pycocotools then ranks all predictions of the first copy first, and this
    function ranks all copies of the first prediction first. As in pycocotools, classes without a box in the resample
    are not part of the mean.

    Parameters
    ----------
    evidence
        The evidence of an evaluation on n images.
    weights
        (n,) or (R, n) integers of at least 0: the number of copies of each image, for one or for R resamples.

    Returns
    -------
    figures
        (2,) or (R, 2) float64: mAP50 and mAP50-95. If a resample has no boxes, both are 0.
    """
    counts = np.asarray(weights)
    if counts.shape[-1] != len(evidence.images):
        raise ValueError(f"weights is for {counts.shape[-1]} images, but the evidence has {len(evidence.images)}.")
    # one row per image and one column per resample, so that every step works on contiguous memory
    columns = np.ascontiguousarray(np.atleast_2d(counts).T, np.float64)
    total = np.zeros((2, columns.shape[1]))
    present = np.zeros(columns.shape[1])
    for number in range(evidence.truth.shape[1]):
        ranked = _rank(evidence, number)
        size = max(1, BLOCK // max(1, len(ranked.places)))
        for start in range(0, columns.shape[1], size):
            block = columns[:, start : start + size]
            boxes = ranked.truth @ block
            total[:, start : start + size] += np.where(boxes > 0, _average_precision(ranked, block, boxes), 0.0)
            present[start : start + size] += boxes > 0
    figures = (total / np.maximum(present, 1)).T
    return figures[0] if counts.ndim == 1 else figures


@dataclass(frozen=True)
class _Ranked:
    """The predictions of one class, sorted by decreasing confidence and divided into segments.

    Each segment ends with a prediction that matches a box at one or more IoU thresholds.

    Attributes
    ----------
    truth
        (n,): the number of boxes of the class in each image.
    places
        (S,): the rank of the last prediction in each segment.
    between
        (S, n): the number of predictions of each segment on each image.
    hits
        One pair of arrays for each IoU threshold: the segments and the images of the predictions that match a box.
    ignored
        One pair of arrays for each IoU threshold: the segments and the images of the predictions that are ignored.
    """

    truth: npt.NDArray[np.float64]
    places: npt.NDArray[np.int64]
    between: csr_array
    hits: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]]
    ignored: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]]


def _rank(evidence: Evidence, number: int) -> _Ranked:
    """Sort the predictions of class `number` by confidence, and divide them into segments."""
    of_class = np.flatnonzero(evidence.class_id == number)
    order = of_class[np.argsort(-evidence.confidence[of_class], kind="stable")]
    image, hit, ignored = evidence.image[order], evidence.hit[order], evidence.ignored[order]
    places = np.flatnonzero(hit.any(axis=1))
    # predictions after the last match do not change the average precision
    segment = np.searchsorted(places, np.arange(len(order)))
    inside = segment < len(places)
    between = csr_array(
        (np.ones(int(inside.sum())), (segment[inside], image[inside])), shape=(len(places), len(evidence.images))
    )
    between.sum_duplicates()
    chosen = [[np.flatnonzero(flags[:, t] & inside) for t in range(THRESHOLDS)] for flags in (hit, ignored)]
    hits, passed = ([(segment[rows], image[rows]) for rows in part] for part in chosen)
    return _Ranked(evidence.truth[:, number].astype(np.float64), places, between, hits, passed)


def _average_precision(
    ranked: _Ranked, weights: npt.NDArray[np.float64], boxes: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the average precision of R resamples as a (2, R) array.

    Row 0 is the value at IoU 0.50. Row 1 is the mean over all IoU thresholds.
    """
    found = np.zeros((THRESHOLDS, weights.shape[1]))
    if len(ranked.places):
        seen = np.cumsum(ranked.between @ weights, axis=0)
        for threshold in range(THRESHOLDS):
            found[threshold] = _at_threshold(ranked, threshold, weights, seen, np.maximum(boxes, 1))
    return np.stack([found[0], found.mean(axis=0)])


def _at_threshold(
    ranked: _Ranked,
    threshold: int,
    weights: npt.NDArray[np.float64],
    seen: npt.NDArray[np.float64],
    boxes: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the (R,) average precision of R resamples at one IoU threshold."""
    places, images = ranked.hits[threshold]
    if not len(places):
        return np.zeros(weights.shape[1])
    true = np.cumsum(weights[images], axis=0)
    counted = seen[places]
    passed_at, passed_images = ranked.ignored[threshold]
    if len(passed_at):
        passed = np.vstack([np.zeros(weights.shape[1]), np.cumsum(weights[passed_images], axis=0)])
        counted = counted - passed[np.searchsorted(passed_at, places, side="right")]
    precision = true / (counted + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    # the precision at each of the 101 recalls is the precision at the first rank that reaches this recall
    reached = np.searchsorted(RECALLS, true / boxes, side="right")
    newly = np.diff(reached, axis=0, prepend=0)
    return np.einsum("pr,pr->r", envelope, newly) / len(RECALLS)
