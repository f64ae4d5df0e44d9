"""How well a selection stands for the whole: distances from what was left out to what was kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.reducers.distances import CentredPoints
from detreduce.reducers.pool import FloatArray, IntArray
from detreduce.reducers.validation import check_features, check_rows, encode_categories

BLOCK = 256


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
    features = check_features(X, needed=True)
    codes, labels = encode_categories(categories, len(features))
    chosen = check_rows(selected_idx, len(features), "selected_idx")
    largest = 0.0
    for code in range(len(labels)):
        kept = chosen[codes[chosen] == code]
        if len(kept) == 0:
            if not skip_lost:
                return float("inf")
            continue
        left = np.setdiff1d(np.flatnonzero(codes == code), kept)
        if len(left):
            largest = _largest_gap(features, left, kept, largest)
    return largest


def lost_categories(categories: Any, selected_idx: Any) -> list[Any]:
    """Return the labels of the categories of which nothing was kept."""
    array = np.asarray(categories)
    codes, labels = encode_categories(array, len(array))
    chosen = check_rows(selected_idx, len(array), "selected_idx")
    return [labels[code] for code in np.setdiff1d(np.arange(len(labels)), codes[chosen])]


def _largest_gap(X: npt.NDArray[np.floating], left: IntArray, kept: IntArray, floor: float) -> float:
    """Return max(floor, largest L-infinity distance of a row of `left` to its nearest row of `kept`).

    The Euclidean nearest kept row, found by matrix products, gives an upper bound for each row; only rows whose bound
    exceeds the largest distance found so far are settled against all kept ones.
    """
    points = CentredPoints.of(X[np.concatenate([kept, left])])
    near = nearest_euclidean(points, np.arange(len(kept)), np.arange(len(kept), len(points)))
    bounds = np.empty(len(left))
    for start in range(0, len(left), BLOCK):
        rows = slice(start, start + BLOCK)
        bounds[rows] = np.abs(_exact(X, left[rows]) - _exact(X, kept[near[rows]])).max(axis=1)
    candidates = _exact(X, kept)
    for position in np.argsort(-bounds):
        if bounds[position] <= floor:
            break
        floor = max(floor, _chebyshev(_exact(X, left[position]), candidates, bounds[position]))
    return float(floor)


def _exact(X: npt.NDArray[np.floating], rows: Any) -> FloatArray:
    return np.asarray(X[rows], np.float64)


def _chebyshev(row: FloatArray, candidates: FloatArray, bound: float) -> float:
    """Return the L-infinity distance from `row` to the nearest of `candidates`, known to be at most `bound`."""
    alive = np.arange(len(candidates))
    width = 16
    # most candidates are out after a few columns
    for start in range(0, len(row), width):
        part = slice(start, start + width)
        alive = alive[np.abs(candidates[alive, part] - row[part]).max(axis=1) <= bound]
        if len(alive) <= 64:
            break
    return float(np.abs(candidates[alive] - row).max(axis=1).min(initial=bound))


def nearest_euclidean(points: CentredPoints, kept: IntArray, rows: IntArray) -> IntArray:
    """Return for each of `rows` the position in `kept` of its nearest point, up to rounding in near-ties."""
    nearest = np.empty(len(rows), np.int64)
    others, squares = points.Z[kept], points.squares[kept]
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        nearest[start : start + BLOCK] = (squares - 2.0 * (points.Z[some] @ others.T)).argmin(axis=1)
    return nearest
