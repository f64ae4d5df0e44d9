"""Kernels between the rows of an array, computed in blocks, and features whose inner products equal a kernel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.distances import CentredPoints
from detreduce.machine.parallel import in_threads, slices
from detreduce.reducers.engine.pool import FloatArray, IntArray, derive_rng

EXACT_ROWS = 8192
"""Means over all rows are computed in float64 up to this number of rows, and in float32 beyond it."""
DENSE_ROWS = 6144
"""The whole kernel matrix is kept in memory up to this number of rows (288 MiB)."""
BLOCK = 1024
TILE = 256
FREQUENCIES = 128
RANK = 1e-13
"""Eigenvalues below this fraction of the largest one are treated as rounding errors."""


@dataclass
class Kernel:
    """A kernel function between the rows of Z.

    Attributes
    ----------
    Z
        (n, d) float64 points.
    sigma
        Width of the Gaussian kernel exp(-|a - b|^2 / (2 sigma^2)), in units of Z. None means the linear kernel, which
        is the inner product of two rows.
    """

    Z: FloatArray
    sigma: float | None
    squares: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.squares = np.einsum("ij,ij->i", self.Z, self.Z)

    @classmethod
    def gaussian(cls, points: CentredPoints, sigma: float) -> Kernel:
        """Return the Gaussian kernel of width `sigma`, given in units of the features."""
        # outside these limits, all kernel values would be 0 or 1
        return cls(points.Z, min(max(sigma / points.scale, 1e-15), 1e15))

    @cached_property
    def coarse(self) -> npt.NDArray[np.float32]:
        """Z as float32, for approximate kernel values."""
        return self.Z.astype(np.float32)

    @property
    def diagonal(self) -> FloatArray:
        """(n,) the kernel value of each row with itself."""
        return self.squares if self.sigma is None else np.ones(len(self.Z))

    @cached_property
    def dense(self) -> FloatArray | None:
        """(n, n) the whole kernel matrix, or None if it is too large to keep in memory."""
        n = len(self.Z)
        if n > DENSE_ROWS:
            return None
        whole = np.empty((n, n))

        def work(rows: slice) -> None:
            """Compute some rows of the upper triangle, and mirror them."""
            for start in range(rows.start, n, TILE):
                columns = slice(start, min(start + TILE, n))
                whole[rows, columns] = tile = self._computed(rows, columns, exact=True)
                whole[columns, rows] = tile.T

        deque(in_threads(work, slices(n, TILE)), maxlen=0)
        return whole

    def between(self, rows: Any, columns: Any, *, exact: bool = True) -> npt.NDArray[np.floating]:
        """Return the (a, b) kernel values between two sets of rows.

        The values are float64. If `exact` is False and the whole kernel matrix is not in memory, they are float32.
        """
        if self.dense is None:
            return self._computed(rows, columns, exact=exact)
        if isinstance(rows, slice) or isinstance(columns, slice):
            return self.dense[rows, columns]
        # one flat index takes half the time of a pair of row and column indices
        return self.dense.take(np.asarray(rows)[:, None] * len(self.Z) + np.asarray(columns))

    def among(self, rows: IntArray) -> Callable[[int], FloatArray]:
        """Return a function for the kernel values among `rows`.

        The function takes an index into `rows`. It returns the kernel values of this row with all of `rows`.
        """
        if self.dense is not None:
            dense = self.dense
            return lambda place: dense[rows[place]].take(rows)
        # copy these rows once, and not at every call
        own = Kernel(self.Z[rows], self.sigma)
        return lambda place: own._computed([place], slice(None), exact=True)[0]

    def _computed(self, rows: Any, columns: Any, *, exact: bool) -> npt.NDArray[np.floating]:
        """Compute the (a, b) kernel values between two sets of rows, as float64 if `exact` is True, or else as
        float32.
        """
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
        # a rounding error must not make a squared distance negative
        np.minimum(product, 0, out=product)
        return np.exp(product, out=product)

    def means(self, advance: Callable[[int], object]) -> FloatArray:
        """Return (n,) the mean kernel value of each row with all rows.

        `advance` is called with the number of rows that were just processed.
        """
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
            # the matrix is symmetric, so each value to the right of the diagonal is added to both sums
            for other in range(start, n, 8 * BLOCK):
                columns = slice(other, min(other + 8 * BLOCK, n))
                values = self.between(rows, columns, exact=exact)
                sums[rows] += values.sum(axis=1)
                width = rows.stop - start if other == start else 0
                sums[columns.start + width : columns.stop] += values[:, width:].sum(axis=0)
            advance(rows.stop - start)
        return sums / n

    def take(self, rows: IntArray) -> Kernel:
        """Return the kernel between some of the rows only."""
        return Kernel(self.Z[rows], self.sigma)

    def means_of(self, rows: IntArray, advance: Callable[[int], object]) -> FloatArray:
        """Return (m,) the mean kernel value of each of `rows` with all rows.

        `advance` is called with the number of rows that were just processed.
        """
        n = len(self.Z)
        if self.sigma is None:
            return self.Z[rows] @ self.Z.mean(axis=0)
        means = np.empty(len(rows))

        def work(part: slice) -> FloatArray:
            columns = [slice(start, start + 8 * BLOCK) for start in range(0, n, 8 * BLOCK)]
            sums = [self._computed(rows[part], own, exact=n <= EXACT_ROWS).sum(axis=1, dtype=float) for own in columns]
            return np.asarray(np.sum(sums, axis=0) / n)

        parts = slices(len(rows), TILE)
        for part, values in zip(parts, in_threads(work, parts), strict=True):
            means[part] = values
            advance(len(values))
        return means


def median_distance(points: CentredPoints, rows: IntArray) -> float:
    """Return the median distance between pairs of `rows`, in units of the features.

    If at least half of the pairs coincide, or if there are no pairs, return the scale of the points instead.
    """
    Z, squares = points.Z[rows], points.squares[rows]
    pairs = len(rows) * (len(rows) - 1) // 2
    if not pairs:
        return points.scale
    squared = Z @ Z.T
    squared *= -2.0
    squared += squares
    squared += squares[:, None]
    # every pair occurs twice, which does not change the median, and the diagonal is sorted to the front
    np.fill_diagonal(squared, -np.inf)
    middle = [len(rows) + pairs - 1, len(rows) + pairs]
    flat = squared.reshape(-1)
    flat.partition(middle)
    low, high = flat[middle].clip(0.0)
    median = float(np.sqrt(low) + np.sqrt(high)) / 2.0
    return median * points.scale if median > 1e-7 else points.scale


@dataclass
class FourierMap:
    """A map to random Fourier features of the Gaussian kernel (Rahimi and Recht 2007).

    The frequencies are orthogonal (Yu et al. 2016). They do not depend on the seed of the method, so that results
    depend only on the data.

    Attributes
    ----------
    frequencies
        (D / 2, d) float64 frequencies.
    centre
        (d,) vector that is subtracted from every vector first.
    """

    frequencies: FloatArray
    centre: FloatArray

    @classmethod
    def gaussian(cls, centre: FloatArray, sigma: float, count: int = FREQUENCIES) -> FourierMap:
        """Return the map with `count` frequencies for the kernel exp(-|a - b|^2 / (2 sigma^2))."""
        d = len(centre)
        rng = derive_rng(0, "herding frequencies")
        blocks = []
        for _ in range(0, count, d):
            q, r = np.linalg.qr(rng.standard_normal((d, d)))
            lengths = np.sqrt(rng.chisquare(d, size=d))
            blocks.append(lengths[:, None] * (q * np.sign(np.diag(r))).T)
        return cls(np.concatenate(blocks)[:count] / sigma, centre)

    def __call__(self, vectors: npt.NDArray[np.floating]) -> FloatArray:
        """Return (b, D) float64 features of unit length for (b, d) vectors.

        Inner products of these features approximate the kernel with an error of O(1 / sqrt(D)).
        """
        angles = (vectors - self.centre) @ self.frequencies.T
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / np.sqrt(len(self.frequencies))


def kernel_features(vectors: FloatArray, centre: FloatArray, sigma: float) -> FloatArray:
    """Return (m, r) features whose inner products equal exp(-|a - b|^2 / (2 sigma^2)), with r <= m."""
    Z = (vectors - centre) / sigma
    squares = np.einsum("ij,ij->i", Z, Z)
    kernel = np.exp(-0.5 * (squares[:, None] + squares - 2.0 * Z @ Z.T).clip(0.0))
    values, axes = np.linalg.eigh(kernel)
    kept = values > RANK * values[-1]
    return np.asarray(axes[:, kept] * np.sqrt(values[kept]))
