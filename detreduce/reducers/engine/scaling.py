"""Scale columns to mean 0 and variance 1, in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from detreduce.reducers.engine.pool import FloatArray, IntArray

BLOCK = 256
"""Number of rows in a block. A block and its copy fit into the cache of one processor core."""


class StandardScale:
    """The parameters that scale the columns of X to mean 0 and variance 1. Constant columns become 0.

    Attributes
    ----------
    mean
        (d,) float64: the mean of each column.
    spread
        (d,) float64: the standard deviation of each column, or 1 for a constant column.
    """

    def __init__(self, X: npt.NDArray[np.floating]) -> None:
        largest = np.maximum(X.max(axis=0), -X.min(axis=0)).astype(np.float64)
        # first scale the values to at most 1, so that their squares neither overflow nor vanish
        scale = np.where(largest > 0, largest, 1.0)
        count, mean, squares = 0, np.zeros(X.shape[1]), np.zeros(X.shape[1])
        for rows in _blocks(X):
            np.divide(rows, scale, out=rows)
            own = rows.mean(axis=0)
            rows -= own
            # merge the sums of two sets of rows (Chan, Golub and LeVeque 1983)
            step = own - mean
            squares += np.einsum("ij,ij->j", rows, rows) + step**2 * (count * len(rows) / (count + len(rows)))
            mean += step * (len(rows) / (count + len(rows)))
            count += len(rows)
        spread = np.sqrt(squares / len(X))
        self._constant = spread <= 1e-12
        self.mean = mean * scale
        self.spread = np.where(self._constant, 1.0, spread * scale)

    def apply(self, rows: FloatArray) -> FloatArray:
        """Scale (b, d) float64 rows in place, and return them."""
        rows -= self.mean
        rows /= self.spread
        if self._constant.any():
            rows[:, self._constant] = 0.0
        return rows


def _blocks(X: npt.NDArray[np.floating]) -> Iterator[FloatArray]:
    """Yield blocks of rows as float64. All blocks share one buffer, so each block overwrites the previous one."""
    buffer = np.empty((min(BLOCK, len(X)), X.shape[1]))
    for start in range(0, len(X), BLOCK):
        part = X[start : start + BLOCK]
        rows = buffer[: len(part)]
        rows[:] = part
        yield rows


def standardised(X: npt.NDArray[np.floating], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[np.floating]:
    """Return a copy of X (n, d) in which every column has mean 0 and variance 1. Constant columns become 0."""
    scale, start = StandardScale(X), 0
    Z = np.empty(X.shape, dtype)
    for rows in _blocks(X):
        Z[start : start + len(rows)] = scale.apply(rows)
        start += len(rows)
    return Z


def mean_rows(X: npt.NDArray[np.floating], groups: list[IntArray], scale: StandardScale | None) -> FloatArray:
    """Return a (C, d) float64 array with the mean row of each of the C groups, after scaling the rows with `scale`.

    If `scale` is None, the rows are not scaled.
    """
    means = np.zeros((len(groups), X.shape[1]))
    for mean, group in zip(means, groups, strict=True):
        for start in range(0, len(group), BLOCK):
            rows = X[group[start : start + BLOCK]].astype(np.float64)
            # divide the rows before summing them, so that the sum cannot overflow
            mean += ((scale.apply(rows) if scale else rows) / len(group)).sum(axis=0)
    return means
