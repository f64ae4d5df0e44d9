"""The largest distance from a left-out image to the nearest kept image."""

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
    """Return the largest L-infinity distance from an image to the nearest kept image of its image category.

    The result is exact, and memory does not grow with n^2. Source: Gonzalez-Diaz et al. 2022, *Topology-based
    representative datasets*.

    Parameters
    ----------
    X
        (n, d) features of any float type.
    categories
        (n,) image category of each image. If it is None, all images are in one category.
    selected_idx
        The rows of X that are kept.
    skip_lost
        Whether to ignore categories without a kept image, as the released code of the paper does. If False, the result
        is inf if there is such a category.

    Raises
    ------
    InputError
        The lengths of the arrays do not match, or a feature is NaN.
    """
    return _measure_largest(X, categories, selected_idx, "chebyshev", "epsilon", skip_lost=skip_lost)


def covering_radius(X: Any, categories: Any, selected_idx: Any, *, skip_lost: bool = False) -> float:
    """Return the largest Euclidean distance from an image to the nearest kept image of its image category.

    This distance is also called the largest gap. The method ``mms`` minimises it approximately. If `categories` is
    None, it is the Hausdorff distance between the kept images and all images. The result is exact. Parameters and
    errors are the same as in `epsilon`. Source: Gonzalez 1985, *Clustering to minimize the maximum intercluster
    distance*.
    """
    return _measure_largest(X, categories, selected_idx, "euclidean", "covering radius", skip_lost=skip_lost)


def lost_categories(categories: Any, selected_idx: Any) -> list[Any]:
    """Return the labels of the image categories that have no kept image.

    If `categories` is None, all images are in one category with the label 0.
    """
    if categories is None:
        return [] if len(selected_idx) else [0]
    array = np.asarray(categories)
    codes, labels = encode_categories(array, len(array))
    chosen = check_rows(selected_idx, len(array), "selected_idx")
    return [labels[code] for code in np.setdiff1d(np.arange(len(labels)), codes[chosen])]


@dataclass(frozen=True, slots=True)
class Stratum:
    """The kept rows and the left-out rows of one image category. `code` is the number of the category."""

    code: int
    kept: IntArray
    left_out: IntArray

    def __len__(self) -> int:
        return len(self.kept) + len(self.left_out)


def strata(codes: IntArray, size: int, chosen: IntArray) -> Iterator[Stratum]:
    """Yield a `Stratum` for each image category.

    `codes` is the (n,) category number of each row, `size` is the number of categories, and `chosen` are the kept rows.
    """
    kept = np.zeros(len(codes), bool)
    kept[chosen] = True
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=size))
    for code, rows in enumerate(np.split(order, ends[:-1])):
        yield Stratum(code, rows[kept[rows]], rows[~kept[rows]])


def category_gaps(
    X: npt.NDArray[np.floating], parts: list[Stratum], advance: Callable[[int], object]
) -> list[dict[Metric, float]]:
    """Return the largest distance from an image to the nearest kept image, for each category and metric.

    The distance is inf if no image of the category is kept. After each category, `advance` is called with its number of
    images.
    """
    gaps: list[dict[Metric, float]] = []
    for part in parts:
        if len(part.kept):
            gaps.append({metric: largest_gap(X, part.kept, part.left_out, metric) for metric in METRICS})
        else:
            gaps.append(dict.fromkeys(METRICS, float("inf")))
        advance(len(part))
    return gaps


def _measure_largest(
    X: Any, categories: Any, selected_idx: Any, metric: Metric, title: str, *, skip_lost: bool
) -> float:
    features = check_features(X, needed=True)
    codes, labels = encode_categories(categories, len(features))
    chosen = check_rows(selected_idx, len(features), "selected_idx")
    parts = list(strata(codes, len(labels), chosen))
    if not skip_lost and any(not len(part.kept) for part in parts):
        return float("inf")
    largest = 0.0
    with progress(title, len(features), "images") as advance:
        # process large categories first, because a large gap found there saves work in small categories
        for part in sorted(parts, key=len, reverse=True):
            if len(part.kept):
                largest = largest_gap(features, part.kept, part.left_out, metric, largest)
            advance(len(part))
    return largest
