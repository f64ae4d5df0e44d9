"""Candidates for the nearest rows by scikit-learn, and exact distances."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from detreduce.reducers.engine.parallel import slices
from detreduce.reducers.engine.pool import FloatArray, IntArray, derive_rng

Metric = Literal["chebyshev", "euclidean"]
Features = npt.NDArray[np.floating]

QUERIES = 8192
"""Rows that scikit-learn takes at once. Only these are copied."""
CENTRE = 256
"""Rows whose median becomes the origin; a mean would follow one row that is far from all."""
VALUES = 1 << 21
"""Numbers in one block of differences."""
CANDIDATES, NEAR = 512, 8
"""Kept rows searched at once, and the nearest of these that a row is compared with exactly."""
PEAK = 512
"""Rows among which the farthest are looked for first."""
SETTLED, KEPT = 16, 256
"""Rows and kept rows that are compared exactly at once."""


def near_rows(X: Features, queries: IntArray, others: IntArray, count: int) -> IntArray:
    """Return (m, g) for each of the `queries` its g = min(`count`, len(others)) nearest `others`, nearest first.

    Distances are Euclidean, and rounding decides near-ties: take exact ones from `pair_distances`. `others` is not
    empty, and is copied.
    """
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    near = np.empty((len(queries), min(count, len(others))), np.int64)
    # scikit-learn multiplies rows in float64: far from the origin, only float32 rows keep digits enough
    origin = np.median(X[others[:CENTRE]], axis=0) if X.dtype == np.float64 else np.float32(0.0)
    with config_context(assume_finite=True):
        search = NearestNeighbors(n_neighbors=near.shape[1], algorithm="brute").fit(X[others] - origin)
        for part in slices(len(queries), QUERIES):
            near[part] = others[search.kneighbors(X[queries[part]] - origin, return_distance=False)]
    return near


def pair_distances(X: Features, rows: IntArray, others: IntArray, metric: Metric) -> FloatArray:
    """Return (m, g) distances of each of `rows` (m,) to its own `others` (m, g), from differences in float64.

    The distance of equal rows is exactly 0.
    """
    distances = np.empty(others.shape)
    for part in slices(len(rows), max(1, VALUES // (others.shape[1] * X.shape[1]))):
        difference = X[others[part]].astype(np.float64, copy=False)
        difference -= X[rows[part], None]
        if metric == "chebyshev":
            distances[part] = np.abs(difference, out=difference).max(axis=2)
        else:
            distances[part] = np.sqrt(np.einsum("mgd,mgd->mg", difference, difference))
    return distances


def largest_gap(X: Features, kept: IntArray, left_out: IntArray, metric: Metric, floor: float = 0.0) -> float:
    """Return max(floor, the largest distance of a row left out to its nearest kept row); exact.

    A row cannot have the largest distance once one kept row is nearer to it than the largest distance so far. So most
    rows are compared with a few random kept rows alone.
    """
    kept = derive_rng(0, "gaps").permutation(kept)
    upper = np.full(len(left_out), np.inf)
    open_ = np.arange(len(left_out))
    for block in slices(len(kept), CANDIDATES):
        if len(open_) <= SETTLED:
            break
        near = near_rows(X, left_out[open_], kept[block], NEAR)
        for place in range(near.shape[1]):
            nearer = pair_distances(X, left_out[open_], near[:, place, None], metric)[:, 0]
            upper[open_] = np.minimum(upper[open_], nearer)
            if block.start == place == 0:
                floor = max(floor, _gap_of_farthest(X, kept, left_out, near, upper, metric))
            still = upper[open_] > floor
            open_, near = open_[still], near[still]
    return _gap_of_all(X, left_out[open_[np.argsort(-upper[open_])]], kept, metric, floor)


def _gap_of_farthest(
    X: Features, kept: IntArray, left_out: IntArray, near: IntArray, upper: FloatArray, metric: Metric
) -> float:
    """Return the largest distance of the rows that look farthest; their `upper` becomes exact or is at most that."""
    peak = np.argsort(-upper)[:PEAK]
    upper[peak] = pair_distances(X, left_out[peak], near[peak], metric).min(axis=1)
    peak = peak[np.argsort(-upper[peak])[:SETTLED]]
    largest = _gap_of_all(X, left_out[peak], kept, metric, 0.0)
    upper[peak] = np.minimum(upper[peak], largest)
    return largest


def _gap_of_all(X: Features, rows: IntArray, kept: IntArray, metric: Metric, floor: float) -> float:
    """Return max(floor, the largest distance of `rows` to their nearest kept row); all kept rows are compared."""
    for some in slices(len(rows), SETTLED):
        open_ = rows[some]
        nearest = np.full(len(open_), np.inf)
        for part in slices(len(kept), KEPT):
            nearest = np.minimum(nearest, cdist(X[open_], X[kept[part]], metric).min(axis=1))
            open_, nearest = open_[nearest > floor], nearest[nearest > floor]
            if not len(open_):
                break
        floor = max(floor, float(nearest.max(initial=0.0)))
    return floor
