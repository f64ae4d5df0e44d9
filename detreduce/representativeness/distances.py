"""Distances from what was left out to what was kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from detreduce.display.progress import progress
from detreduce.reducers.engine.pool import IntArray
from detreduce.reducers.engine.validation import check_features, check_rows, encode_categories
from detreduce.representativeness.gaps import Chebyshev, Euclidean, Gaps, Metric
from detreduce.representativeness.likely import KeptRows, principal_axes
from detreduce.representativeness.screening import Screen


def epsilon(X: Any, categories: Any, selected_idx: Any, *, skip_lost: bool = False) -> float:
    """Return the largest L-infinity distance from an image to the nearest kept one of its category.

    Exact, in memory that does not grow with n^2. Gonzalez-Diaz et al. 2022, *Topology-based representative datasets*.

    Parameters
    ----------
    X
        (n, d) features of any float type.
    categories
        (n,) labels, or None for one category.
    selected_idx
        Kept rows of X.
    skip_lost
        Leave out categories without a kept image (the released behaviour) instead of returning inf.

    Raises
    ------
    InputError
        For arrays that do not fit each other or hold NaN.
    """
    return _largest(X, categories, selected_idx, Chebyshev(), "epsilon", skip_lost=skip_lost)


def covering_radius(X: Any, categories: Any, selected_idx: Any, *, skip_lost: bool = False) -> float:
    """Return the largest Euclidean distance from an image to the nearest kept one of its category.

    The quantity that farthest-point selection (``mms``) keeps small; without categories it is the Hausdorff distance
    between the kept images and all. Exact; parameters and errors are those of `epsilon`. Gonzalez 1985, *Clustering to
    minimize the maximum intercluster distance*.
    """
    return _largest(X, categories, selected_idx, Euclidean(), "covering radius", skip_lost=skip_lost)


def lost_categories(categories: Any, selected_idx: Any) -> list[Any]:
    """Return the labels of the categories of which nothing was kept; None is one category, 0."""
    if categories is None:
        return [] if len(selected_idx) else [0]
    array = np.asarray(categories)
    codes, labels = encode_categories(array, len(array))
    chosen = check_rows(selected_idx, len(array), "selected_idx")
    return [labels[code] for code in np.setdiff1d(np.arange(len(labels)), codes[chosen])]


@dataclass(frozen=True, slots=True)
class Stratum:
    """One category's rows: the kept ones and those left out."""

    code: int
    kept: IntArray
    left: IntArray

    def __len__(self) -> int:
        return len(self.kept) + len(self.left)


def strata(codes: IntArray, size: int, chosen: IntArray) -> Iterator[Stratum]:
    """Yield the `size` categories with their rows; `chosen` are the kept ones."""
    kept = np.zeros(len(codes), bool)
    kept[chosen] = True
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=size))
    for code, rows in enumerate(np.split(order, ends[:-1])):
        yield Stratum(code, rows[kept[rows]], rows[~kept[rows]])


def category_gaps(
    screen: Screen, parts: list[Stratum], metrics: list[Metric], advance: Callable[[int], object]
) -> list[list[float]]:
    """Return for each category its largest distance in each metric, inf where nothing was kept.

    `advance` is called with the images done, those of lost categories and the kept ones included.
    """
    axes = principal_axes(screen)
    found = []
    for part in parts:
        if not len(part.kept):
            found.append([float("inf")] * len(metrics))
            advance(len(part))
            continue
        gaps = Gaps.of(KeptRows.of(screen, part.kept, axes), part.left, advance)
        found.append([gaps.largest(metric) / screen.shrink for metric in metrics])
        advance(len(part.kept))
    return found


def _largest(X: Any, categories: Any, selected_idx: Any, metric: Metric, title: str, *, skip_lost: bool) -> float:
    features = check_features(X, needed=True)
    codes, labels = encode_categories(categories, len(features))
    chosen = check_rows(selected_idx, len(features), "selected_idx")
    parts = list(strata(codes, len(labels), chosen))
    if not skip_lost and any(not len(part.kept) for part in parts):
        return float("inf")
    screen = Screen.of(features)
    axes = principal_axes(screen)
    largest = 0.0
    with progress(title, len(features), "images") as advance:
        # what is found in a large category spares work in the small ones
        for part in sorted(parts, key=len, reverse=True):
            if len(part.kept):
                gaps = Gaps.of(KeptRows.of(screen, part.kept, axes), part.left, advance)
                largest = gaps.largest(metric, largest)
            advance(len(part.kept))
    return largest / screen.shrink
