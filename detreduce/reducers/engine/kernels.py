"""Kernels between rows of a table, in blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.engine.parallel import in_threads, slices
from detreduce.reducers.engine.pool import FloatArray, IntArray

EXACT_ROWS = 8192
"""Up to this many rows, means over all rows are taken in float64."""
DENSE_ROWS = 6144
"""Up to this many rows the whole kernel is kept: 288 MiB."""
BLOCK = 1024
TILE = 256


@dataclass
class Kernel:
    """Kernel values between rows of Z: exp(-|a - b|^2 / (2 sigma^2)), or the inner product where sigma is None.

    Attributes
    ----------
    Z
        (n, d) float64.
    sigma
        In units of Z.
    """

    Z: FloatArray
    sigma: float | None
    squares: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.squares = np.einsum("ij,ij->i", self.Z, self.Z)

    @classmethod
    def gaussian(cls, points: CentredPoints, sigma: float) -> Kernel:
        """Return the Gaussian kernel of width `sigma`, in the units of the features."""
        # beyond these every row is alone, or all are one
        return cls(points.Z, min(max(sigma / points.scale, 1e-15), 1e15))

    @cached_property
    def coarse(self) -> npt.NDArray[np.float32]:
        """Z in float32, for what is only screened."""
        return self.Z.astype(np.float32)

    @property
    def diagonal(self) -> FloatArray:
        """(n,) the kernel of each row with itself."""
        return self.squares if self.sigma is None else np.ones(len(self.Z))

    @cached_property
    def dense(self) -> FloatArray | None:
        """(n, n) the whole kernel, where it is small enough to keep."""
        n = len(self.Z)
        if n > DENSE_ROWS:
            return None
        whole = np.empty((n, n))

        def work(rows: slice) -> None:
            for start in range(rows.start, n, TILE):
                columns = slice(start, min(start + TILE, n))
                whole[rows, columns] = tile = self._computed(rows, columns, exact=True)
                whole[columns, rows] = tile.T

        deque(in_threads(work, slices(n, TILE)), maxlen=0)
        return whole

    def between(self, rows: Any, columns: Any, *, exact: bool = True) -> npt.NDArray[np.floating]:
        """Return (a, b) kernel values: float64, or float32 where not `exact` and not kept."""
        if self.dense is None:
            return self._computed(rows, columns, exact=exact)
        if isinstance(rows, slice) or isinstance(columns, slice):
            return self.dense[rows, columns]
        # one flat index is half the time of a row and a column index
        return self.dense.take(np.asarray(rows)[:, None] * len(self.Z) + np.asarray(columns))

    def among(self, rows: IntArray) -> Callable[[int], FloatArray]:
        """Return a function of a place in `rows` that gives its row's kernel with all of `rows`, one at a time."""
        if self.dense is not None:
            dense = self.dense
            return lambda place: dense[rows[place]].take(rows)
        # together in memory once, not for every call
        own = Kernel(self.Z[rows], self.sigma)
        return lambda place: own._computed([place], slice(None), exact=True)[0]

    def _computed(self, rows: Any, columns: Any, *, exact: bool) -> npt.NDArray[np.floating]:
        Z = self.Z if exact else self.coarse
        product = Z[rows] @ Z[columns].T
        if self.sigma is None:
            return product
        squares = self.squares.astype(product.dtype)
        factor = product.dtype.type(1.0 / self.sigma**2)
        half = product.dtype.type(0.5)
        product -= half * squares[rows][:, None]
        product -= half * squares[columns]
        product *= factor
        # rounding must not put a row nearer than itself
        np.minimum(product, 0, out=product)
        return np.exp(product, out=product)

    def means(self, advance: Any) -> FloatArray:
        """Return (n,) the mean kernel of each row with all rows; `advance` is called with the rows done."""
        n = len(self.Z)
        if self.sigma is None:
            return self.Z @ self.Z.mean(axis=0)
        if self.dense is not None:
            advance(n)
            return self.dense.mean(axis=1)
        exact = n <= EXACT_ROWS
        sums = np.zeros(n)
        for start in range(0, n, BLOCK):
            rows = slice(start, min(start + BLOCK, n))
            # the matrix is symmetric: what lies right of the diagonal counts for both sides
            for other in range(start, n, 8 * BLOCK):
                columns = slice(other, min(other + 8 * BLOCK, n))
                values = self.between(rows, columns, exact=exact)
                sums[rows] += values.sum(axis=1)
                width = rows.stop - start if other == start else 0
                sums[columns.start + width : columns.stop] += values[:, width:].sum(axis=0)
            advance(rows.stop - start)
        return sums / n


def median_distance(points: CentredPoints, rows: IntArray) -> float:
    """Return the median distance between pairs of `rows`, or 1 where half of the pairs coincide, in feature units."""
    Z, squares = points.Z[rows], points.squares[rows]
    pairs = len(rows) * (len(rows) - 1) // 2
    if not pairs:
        return points.scale
    squared = Z @ Z.T
    squared *= -2.0
    squared += squares
    squared += squares[:, None]
    # every pair is there twice, which moves no median, and the diagonal lies before them all
    np.fill_diagonal(squared, -np.inf)
    middle = [len(rows) + pairs - 1, len(rows) + pairs]
    flat = squared.reshape(-1)
    flat.partition(middle)
    low, high = flat[middle].clip(0.0)
    median = float(np.sqrt(low) + np.sqrt(high)) / 2.0
    return median * points.scale if median > 1e-7 else points.scale
