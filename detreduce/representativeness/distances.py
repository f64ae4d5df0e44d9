"""The largest distance from an image left out to the nearest kept image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.reducers.engine.pool import IntArray
from detreduce.reducers.engine.validation import check_features, check_rows, encode_categories
from detreduce.representativeness.nearest import Metric, largest_gap

METRICS: tuple[Metric, ...] = ("chebyshev", "euclidean")


def epsilon(X: Any, categories: Any, selected_idx: Any, *, skip_lost: bool = False) -> float:
    """Return the largest L-infinity distance from an image to the nearest kept one of its category.

    Exact; memory does not grow with n^2. Gonzalez-Diaz et al. 2022, *Topology-based representative datasets*.

    Parameters
    ----------
    X
        (n, d) features of any float type.
    categories
        (n,) labels, or None for one category.
    selected_idx
        Kept rows of X.
    skip_lost
        Leave out categories without a kept image, as the released code of the paper does, instead of returning inf.

    Raises
    ------
    InputError
        For arrays that do not fit each other or hold NaN.
    """
    return _largest(X, categories, selected_idx, "chebyshev", "epsilon", skip_lost=skip_lost)


def covering_radius(X: Any, categories: Any, selected_idx: Any, *, skip_lost: bool = False) -> float:
    """Return the largest Euclidean distance from an image to the nearest kept one of its category.

    Farthest-point selection (``mms``) keeps this covering radius (largest gap) small. Without categories it is the
    Hausdorff distance between the kept images and all images. Exact; parameters and errors are those of `epsilon`.
    Gonzalez 1985, *Clustering to minimize the maximum intercluster distance*.
    """
    return _largest(X, categories, selected_idx, "euclidean", "covering radius", skip_lost=skip_lost)


def lost_categories(categories: Any, selected_idx: Any) -> list[Any]:
    """Return the labels of the categories without a kept image; None is one category, 0."""
    if categories is None:
        return [] if len(selected_idx) else [0]
    array = np.asarray(categories)
    codes, labels = encode_categories(array, len(array))
    chosen = check_rows(selected_idx, len(array), "selected_idx")
    return [labels[code] for code in np.setdiff1d(np.arange(len(labels)), codes[chosen])]


@dataclass(frozen=True, slots=True)
class Stratum:
    """The rows of one category: those kept and those left out."""

    code: int
    kept: IntArray
    left_out: IntArray

    def __len__(self) -> int:
        return len(self.kept) + len(self.left_out)


def strata(codes: IntArray, size: int, chosen: IntArray) -> Iterator[Stratum]:
    """Yield the rows of each of the `size` categories; `chosen` are the kept rows."""
    kept = np.zeros(len(codes), bool)
    kept[chosen] = True
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=size))
    for code, rows in enumerate(np.split(order, ends[:-1])):
        yield Stratum(code, rows[kept[rows]], rows[~kept[rows]])


def category_gaps(
    X: npt.NDArray[np.floating], parts: list[Stratum], advance: Callable[[int], object]
) -> list[dict[Metric, float]]:
    """Return for each category its largest distance in both metrics, inf where nothing is kept.

    `advance` is called with the images done, those of lost categories and the kept ones included.
    """
    gaps: list[dict[Metric, float]] = []
    for part in parts:
        if len(part.kept):
            gaps.append({metric: largest_gap(X, part.kept, part.left_out, metric) for metric in METRICS})
        else:
            gaps.append(dict.fromkeys(METRICS, float("inf")))
        advance(len(part))
    return gaps


def _largest(X: Any, categories: Any, selected_idx: Any, metric: Metric, title: str, *, skip_lost: bool) -> float:
    features = check_features(X, needed=True)
    codes, labels = encode_categories(categories, len(features))
    chosen = check_rows(selected_idx, len(features), "selected_idx")
    parts = list(strata(codes, len(labels), chosen))
    if not skip_lost and any(not len(part.kept) for part in parts):
        return float("inf")
    largest = 0.0
    with progress(title, len(features), "images") as advance:
        # a large gap of a large category spares work in the small ones
        for part in sorted(parts, key=len, reverse=True):
            if len(part.kept):
                largest = largest_gap(features, part.kept, part.left_out, metric, largest)
            advance(len(part))
    return largest
