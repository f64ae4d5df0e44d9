"""The nearest neighbours of each point, without keeping all distances in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.engine.pool import FloatArray, IntArray

PRODUCTS = 2**33
"""Number of multiplications in one call of the search (about half a second). Ctrl-C has no effect during a call."""
DIFFERENCES = 2**22
"""Largest number of coordinate differences in memory at once."""


def nearest_neighbours(
    points: CentredPoints, count: int, advance: Callable[[int], object]
) -> tuple[IntArray, FloatArray]:
    """Find the `count` nearest other points of each point.

    Return their rows and their distances, both (n, count), the nearest neighbour first. Distances are in units of the
    features. Two rows are different points, even if their coordinates are equal. The search uses inner products, which
    are inexact for near points. So the distances are computed again from coordinate differences.
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
        # if many points coincide with a point, the search may not return the point itself
        own[~own.any(axis=1), -1] = True
        near = near[~own].reshape(len(rows), count)
        squared = _squared_differences(points, rows, near)
        order = np.argsort(squared, axis=1, kind="stable")
        neighbours[rows] = np.take_along_axis(near, order, axis=1)
        distances[rows] = np.sqrt(np.take_along_axis(squared, order, axis=1)) * points.scale
        advance(len(rows))
    return neighbours, distances


def _squared_differences(points: CentredPoints, rows: IntArray, near: IntArray) -> FloatArray:
    """Return the squared distances between each of `rows` and its neighbours `near`, in the shape of `near`."""
    squared = np.empty(near.shape)
    step = max(1, DIFFERENCES // (near.shape[1] * points.Z.shape[1]))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        difference = points.Z[rows[block], None] - points.Z[near[block]]
        squared[block] = np.einsum("ijk,ijk->ij", difference, difference)
    return squared
