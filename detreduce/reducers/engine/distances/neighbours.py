"""Find the nearest neighbours of each point without keeping all distances in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.machine.parallel import in_threads, map_parts, one_blas_thread, slices
from detreduce.reducers.engine.distances.kmeans import kmeans
from detreduce.reducers.engine.pool import FloatArray, IntArray

ROWS = 256
"""Largest number of points in one block. A thread computes the distances of a whole block to all points at once."""
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


@dataclass(frozen=True)
class CellTask:
    """The search for the neighbours of the points of one cell, among the points of the cells near it.

    Attributes
    ----------
    points
        The points of the near cells.
    rows
        The points of the cell, as rows of `points`.
    count
        Number of neighbours of each point.
    """

    points: CentredPoints
    rows: IntArray
    count: int


def search_cell(task: CellTask) -> tuple[IntArray, FloatArray]:
    """Return the neighbours of the points of a cell, and their distances, both (b, count).

    The neighbours are rows of `task.points`.
    """
    points, count = task.points, task.count
    neighbours, distances = np.empty((len(task.rows), count), np.int64), np.empty((len(task.rows), count))
    with one_blas_thread():
        for part in slices(len(task.rows), max(1, min(ROWS, DISTANCES // len(points)))):
            neighbours[part], squared = _neighbours_of(points, task.rows[part], count)
            distances[part] = np.sqrt(squared) * points.scale
    return neighbours, distances


def neighbours_in_cells(
    points: CentredPoints, count: int, cells: Cells, advance: Callable[[int], object]
) -> tuple[IntArray, FloatArray]:
    """Find about the `count` nearest other points of each point, as `nearest_neighbours` does.

    The points of a cell are compared only with the points of the cells near it. `map_parts` decides where the cells are
    searched.
    """
    n = len(points)
    count = min(count, n - 1)
    neighbours, distances = np.empty((n, count), np.int64), np.empty((n, count))
    places = [cells.near(number, count + 1) for number in range(len(cells.rows))]
    tasks = (
        CellTask(CentredPoints(points.Z[near], points.squares[near], points.scale), np.searchsorted(near, own), count)
        for own, near in zip(cells.rows, places, strict=True)
    )
    found = map_parts(search_cell, tasks)
    for own, near, (local, apart) in zip(cells.rows, places, found, strict=True):
        neighbours[own], distances[own] = near[local], apart
        advance(len(own))
    return neighbours, distances


@dataclass(frozen=True)
class Cells:
    """A division of points into cells of near points.

    Attributes
    ----------
    rows
        The points of each cell, in ascending order. No cell is empty.
    centres
        (m, d) the mean of the points of each cell.
    """

    rows: Sequence[IntArray]
    centres: FloatArray

    @classmethod
    def of(cls, points: CentredPoints, sample: IntArray, count: int, rng: np.random.Generator) -> Self:
        """Divide points into at most `count` cells around k-means centres. The centres are those of a sample."""
        centres, _ = kmeans(points.Z[sample], min(count, len(sample)), rng)
        labels = np.empty(len(points), np.int64)
        offsets = np.einsum("ij,ij->i", centres, centres)
        for part in slices(len(points), 4096):
            labels[part] = (offsets - 2.0 * points.Z[part] @ centres.T).argmin(axis=1)
        rows = [np.flatnonzero(labels == number) for number in range(len(centres))]
        kept = [number for number, own in enumerate(rows) if len(own)]
        means = np.array([points.Z[rows[number]].mean(axis=0) for number in kept])
        return cls([rows[number] for number in kept], means)

    def near(self, number: int, least: int) -> IntArray:
        """Return the points of a cell and of the cells near it, in ascending order.

        They are the nearest cells by their centres: the square root of their number, rounded up, and more if these
        cells have fewer than `least` points.
        """
        nearest = np.argsort(np.square(self.centres - self.centres[number]).sum(axis=1), kind="stable")
        # equal centres must not come before the cell itself
        nearest = np.concatenate([[number], nearest[nearest != number]])
        sizes = np.cumsum([len(self.rows[cell]) for cell in nearest.tolist()])
        many = max(math.ceil(math.sqrt(len(nearest))), int(np.searchsorted(sizes, least)) + 1)
        return np.sort(np.concatenate([self.rows[cell] for cell in nearest[:many].tolist()]))


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
