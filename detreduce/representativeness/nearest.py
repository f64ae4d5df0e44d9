"""Find candidates for the nearest rows with scikit-learn, and then compute exact distances to them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from detreduce.machine.parallel import slices
from detreduce.reducers.engine.pool import FloatArray, IntArray, derive_rng

Metric = Literal["chebyshev", "euclidean"]
Features = npt.NDArray[np.floating]

QUERIES = 8192
"""Number of query rows that are passed to scikit-learn at once. Only these rows are copied."""
CENTRE = 256
"""Number of rows whose median becomes the origin. A median is used because one outlier could move a mean far away."""
VALUES = 1 << 21
"""Number of coordinate differences that are computed at once."""
CANDIDATES, NEAR = 512, 8
"""`CANDIDATES` kept rows are searched at once. Exact distances are computed to the `NEAR` nearest of them."""
PEAK = 512
"""Number of rows with the largest upper bounds, among which the farthest row is searched first."""
SETTLED, KEPT = 16, 256
"""Exact distances are computed between blocks of `SETTLED` rows and `KEPT` kept rows."""


def near_rows(X: Features, queries: IntArray, others: IntArray, count: int) -> IntArray:
    """Return the rows of `others` that are nearest to each query row, with the nearest row first.

    The result has the shape (m, g) for m query rows. g is `count`, or the number of `others` if there are fewer. The
    distance is Euclidean. If two distances are almost equal, rounding errors decide their order. `pair_distances`
    computes exact distances. There must be at least one row in `others`. These rows are copied.
    """
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    near = np.empty((len(queries), min(count, len(others))), np.int64)
    # scikit-learn multiplies rows in float64, and far from the origin only float32 rows keep enough digits
    origin = np.median(X[others[:CENTRE]], axis=0) if X.dtype == np.float64 else np.float32(0.0)
    with config_context(assume_finite=True):
        search = NearestNeighbors(n_neighbors=near.shape[1], algorithm="brute").fit(X[others] - origin)
        for part in slices(len(queries), QUERIES):
            near[part] = others[search.kneighbors(X[queries[part]] - origin, return_distance=False)]
    return near


def pair_distances(X: Features, rows: IntArray, others: IntArray, metric: Metric) -> FloatArray:
    """Return an (m, g) array of distances. Entry (i, j) is the distance from `rows[i]` to `others[i, j]`.

    The distances are computed from coordinate differences in float64, so equal rows have a distance of exactly 0.
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
    """Return the largest distance from a left-out row to its nearest kept row, or `floor` if `floor` is larger.

    The result is exact. A left-out row is skipped as soon as some kept row is nearer than the largest gap found so far.
    Therefore most rows are compared with only a few random kept rows.
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
    """Return the largest gap among the rows whose upper bounds are largest.

    The upper bounds of these rows in `upper` are lowered in place.
    """
    peak = np.argsort(-upper)[:PEAK]
    upper[peak] = pair_distances(X, left_out[peak], near[peak], metric).min(axis=1)
    peak = peak[np.argsort(-upper[peak])[:SETTLED]]
    largest = _gap_of_all(X, left_out[peak], kept, metric, 0.0)
    upper[peak] = np.minimum(upper[peak], largest)
    return largest


def _gap_of_all(X: Features, rows: IntArray, kept: IntArray, metric: Metric, floor: float) -> float:
    """Return the largest distance from one of `rows` to its nearest kept row, or `floor` if `floor` is larger.

    Each of `rows` is compared with all kept rows.
    """
    for block in slices(len(rows), SETTLED):
        open_ = rows[block]
        nearest = np.full(len(open_), np.inf)
        for part in slices(len(kept), KEPT):
            nearest = np.minimum(nearest, cdist(X[open_], X[kept[part]], metric).min(axis=1))
            open_, nearest = open_[nearest > floor], nearest[nearest > floor]
            if not len(open_):
                break
        floor = max(floor, float(nearest.max(initial=0.0)))
    return floor
