"""Find the nearest neighbours of each point without keeping all distances in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.machine.parallel import in_threads, slices
from detreduce.reducers.engine.pool import FloatArray, IntArray

ROWS = 256
"""Largest number of rows for which one thread keeps the distances to all points in memory."""
DISTANCES = 2**22
"""Largest number of distances that one thread keeps in memory."""
DIFFERENCES = 2**20
"""Largest number of coordinate differences that one thread keeps in memory."""
ROUNDING = 1e-12
"""Squared distances that are computed from inner products have an error of at most this share of |x|^2 + |y|^2."""
BITS = 33
"""Squared distances count as equal if they agree in this number of bits (ten digits)."""


def nearest_neighbours(
    points: CentredPoints, count: int, advance: Callable[[int], object]
) -> tuple[IntArray, FloatArray]:
    """Find the `count` nearest other points of each point.

    Return the rows and the distances of the neighbours, both (n, count), with the nearest neighbour first. Distances
    are in units of the features. Two rows are different points, even if their coordinates are equal. Distances that
    agree in ten digits count as equal. Among neighbours at equal distances, the lowest rows come first.

    Candidates are found with inner products. Inner products lose digits if points are close together. Therefore the
    final distances are computed from coordinate differences.

    scikit-learn's search cannot replace this function. If more than `count` points are at the same distance, its choice
    depends on the number of threads.
    """
    n = len(points)
    count = min(count, n - 1)
    neighbours, distances = np.empty((n, count), np.int64), np.empty((n, count))
    if not count:
        return neighbours, distances
    parts = slices(n, max(1, min(ROWS, DISTANCES // n)))

    def work(part: slice) -> tuple[IntArray, FloatArray]:
        """Find the neighbours of some of the points."""
        return _neighbours_of(points, np.arange(part.start, part.stop), count)

    for part, (near, squared) in zip(parts, in_threads(work, parts), strict=True):
        neighbours[part] = near
        distances[part] = np.sqrt(squared) * points.scale
        advance(len(near))
    return neighbours, distances


def _neighbours_of(points: CentredPoints, rows: IntArray, count: int) -> tuple[IntArray, FloatArray]:
    """Return the neighbours of `rows` and their squared distances, both (b, count)."""
    index = np.arange(len(rows))
    squared = points.Z[rows] @ points.Z.T
    squared *= -2.0
    squared += points.squares
    squared += points.squares[rows, None]
    squared[index, rows] = np.inf
    near = np.sort(np.argpartition(squared, count - 1, axis=1)[:, :count], axis=1)
    exact = _squared_differences(points, rows, near)
    order = _sorted_by_distance(exact)
    near, exact = np.take_along_axis(near, order, axis=1), np.take_along_axis(exact, order, axis=1)
    reach = np.take_along_axis(squared, near, axis=1).max(axis=1)
    squared *= 1.0 - 2.0 ** (1 - BITS)
    squared -= ROUNDING * (points.squares + points.squares[rows, None])
    close = squared <= reach[:, None]
    for place in np.flatnonzero(close.sum(axis=1) > count):
        # several points are as far away as the last neighbour
        others = np.flatnonzero(close[place])
        apart = _squared_differences(points, rows[[place]], others[None])[0]
        first = _sorted_by_distance(apart[None])[0, :count]
        near[place], exact[place] = others[first], apart[first]
    return near, exact


def _sorted_by_distance(squared: FloatArray) -> IntArray:
    """Return the order that sorts each row of (b, m) squared distances.

    Distances that agree in ten digits keep their order.
    """
    digits, exponent = np.frexp(squared)
    return np.argsort(np.ldexp(np.round(np.ldexp(digits, BITS)), exponent - BITS), axis=1, kind="stable")


def _squared_differences(points: CentredPoints, rows: IntArray, near: IntArray) -> FloatArray:
    """Return the squared distances between each of `rows` and its neighbours, in the shape of `near`."""
    squared = np.empty(near.shape)
    wide = max(1, DIFFERENCES // points.Z.shape[1])
    step = max(1, wide // near.shape[1])
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        for first in range(0, near.shape[1], wide):
            part = slice(first, first + wide)
            difference = points.Z[rows[block], None] - points.Z[near[block, part]]
            squared[block, part] = np.einsum("ijk,ijk->ij", difference, difference)
    return squared
