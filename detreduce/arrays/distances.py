"""Exact Euclidean distances, computed with matrix products of blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.machine.parallel import product

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CANCELLED = 1e-5
"""Squared distances below this fraction of |x|^2 + |y|^2 are computed again from x - y."""


@dataclass
class CentredPoints:
    """Points relative to their mean.

    A power of two scales the points, so that squares do not overflow or become 0.

    Attributes
    ----------
    Z
        (n, d) float64, C-contiguous: (x - mean) / scale.
    squares
        (n,) squared norms of the rows of Z.
    scale
        Distances in Z times `scale` are distances in X.
    """

    Z: FloatArray
    squares: FloatArray
    scale: float

    @classmethod
    def of(cls, X: npt.NDArray[np.floating]) -> CentredPoints:
        """Return the centred and scaled points of X (n, d). X is copied once, as float64."""
        Z = np.array(X, np.float64, order="C")
        largest = float(max(Z.max(initial=0.0), -Z.min(initial=0.0)))
        shrink = 2.0 ** -np.floor(np.log2(largest)) if largest > 0 else 1.0
        Z *= shrink
        Z -= Z.mean(axis=0)
        spread = float(max(Z.max(initial=0.0), -Z.min(initial=0.0)))
        # if all rows are equal, only the rounding error of the mean is left
        grow = 2.0 ** -np.floor(np.log2(spread)) if spread > 1e-14 else 1.0
        Z *= grow
        return cls(Z, np.einsum("ij,ij->i", Z, Z), 1.0 / (shrink * grow))

    def __len__(self) -> int:
        return len(self.Z)

    def products(self, rows: IntArray) -> FloatArray:
        """Return (b, n) squared distances from `rows` to all points.

        Rounding errors can be large for close points. The method `settled` corrects these distances.
        """
        squared = product(-2.0 * self.Z[rows], self.Z)
        squared += self.squares
        squared += self.squares[rows, None]
        return squared

    def settled(self, squared: FloatArray, others: IntArray, row: int) -> FloatArray:
        """Recompute the distances in `squared` that have large rounding errors. Change and return `squared`.

        `squared` (m,) contains the squared distances from `row` to `others`.
        """
        doubtful = np.flatnonzero(squared < CANCELLED * (self.squares[others] + self.squares[row]))
        for start in range(0, len(doubtful), 4096):
            block = doubtful[start : start + 4096]
            difference = self.Z[others[block]] - self.Z[row]
            squared[block] = np.einsum("ij,ij->i", difference, difference)
        return squared
