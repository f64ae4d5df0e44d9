"""Exact Euclidean distances, computed block by block with matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.machine.parallel import product

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CANCELLED = 1e-5
"""A squared distance below this fraction of |x|^2 + |y|^2 has lost too many digits, so it is computed again from x -
y.
"""


@dataclass
class CentredPoints:
    """A set of points, shifted to mean 0 and scaled by a power of two.

    The scaling prevents squares from overflowing or from becoming 0.

    Attributes
    ----------
    Z
        (n, d) float64, C-contiguous: the points after shifting and scaling, (x - mean) / scale.
    squares
        (n,) squared norms of the rows of Z.
    scale
        Factor that converts a distance between rows of Z to the distance between the original points.
    """

    Z: FloatArray
    squares: FloatArray
    scale: float

    @classmethod
    def of(cls, X: npt.NDArray[np.floating]) -> CentredPoints:
        """Shift and scale the points X (n, d). X is copied once, as float64, and stays unchanged."""
        Z = np.array(X, np.float64, order="C")
        largest = float(max(Z.max(initial=0.0), -Z.min(initial=0.0)))
        shrink = 2.0 ** -np.floor(np.log2(largest)) if largest > 0 else 1.0
        Z *= shrink
        Z -= Z.mean(axis=0)
        spread = float(max(Z.max(initial=0.0), -Z.min(initial=0.0)))
        # if all rows are equal, Z now contains only the rounding error of the mean, which must not be scaled up
        grow = 2.0 ** -np.floor(np.log2(spread)) if spread > 1e-14 else 1.0
        Z *= grow
        return cls(Z, np.einsum("ij,ij->i", Z, Z), 1.0 / (shrink * grow))

    def __len__(self) -> int:
        return len(self.Z)

    def products(self, rows: IntArray) -> FloatArray:
        """Return the (b, n) squared distances from the points in `rows` to all points.

        For points that are close to each other, rounding errors can be large. Use `settled` to correct such distances.
        """
        squared = product(-2.0 * self.Z[rows], self.Z)
        squared += self.squares
        squared += self.squares[rows, None]
        return squared

    def settled(self, squared: FloatArray, others: IntArray, row: int) -> FloatArray:
        """Correct squared distances that have large rounding errors.

        These distances are computed again from the differences of the coordinates.

        Parameters
        ----------
        squared
            (m,) squared distances from the point `row` to the points `others`. The array is changed in place.
        others
            (m,) rows of the other points.
        row
            Row of the point from which the distances are measured.

        Returns
        -------
        numpy.ndarray
            The array `squared` itself.
        """
        doubtful = np.flatnonzero(squared < CANCELLED * (self.squares[others] + self.squares[row]))
        for start in range(0, len(doubtful), 4096):
            block = doubtful[start : start + 4096]
            difference = self.Z[others[block]] - self.Z[row]
            squared[block] = np.einsum("ij,ij->i", difference, difference)
        return squared
