"""The nearest neighbours of each point, without all distances in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.engine.pool import FloatArray, IntArray

PRODUCTS = 2**33
"""Multiplications in one call of the search, which ignores Ctrl-C: about half a second."""
DIFFERENCES = 2**22
"""Entries of the differences in memory at once."""


def nearest_neighbours(
    points: CentredPoints, count: int, advance: Callable[[int], object]
) -> tuple[IntArray, FloatArray]:
    """Return the `count` nearest other points of each point and their distances (n, count), in feature units.

    The nearest comes first. Another row is another point, even if the two coincide. scikit-learn finds the neighbours
    from products, which lose digits for near points. So their distances are computed again from differences.
    """
    n = len(points)
    count = min(count, n - 1)
    neighbours, distances = np.empty((n, count), np.int64), np.empty((n, count))
    if not count:
        return neighbours, distances
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=count + 1, algorithm="brute").fit(points.Z)
    block = max(64, PRODUCTS // points.Z.size)
    for start in range(0, n, block):
        rows = np.arange(start, min(start + block, n))
        near = search.kneighbors(points.Z[rows], return_distance=False)
        own = near == rows[:, None]
        # if many points coincide with it, the search may not return the point itself
        own[~own.any(axis=1), -1] = True
        near = near[~own].reshape(len(rows), count)
        squared = _squared_differences(points, rows, near)
        order = np.argsort(squared, axis=1, kind="stable")
        neighbours[rows] = np.take_along_axis(near, order, axis=1)
        distances[rows] = np.sqrt(np.take_along_axis(squared, order, axis=1)) * points.scale
        advance(len(rows))
    return neighbours, distances


def _squared_differences(points: CentredPoints, rows: IntArray, near: IntArray) -> FloatArray:
    squared = np.empty(near.shape)
    step = max(1, DIFFERENCES // (near.shape[1] * points.Z.shape[1]))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        difference = points.Z[rows[block], None] - points.Z[near[block]]
        squared[block] = np.einsum("ijk,ijk->ij", difference, difference)
    return squared
