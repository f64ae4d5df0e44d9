"""Certain bounds on Euclidean distances from products in float32: half the time and memory of float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.reducers.engine.pool import FloatArray, IntArray

ROUNDING = 2.0**-24
SMALLEST = 2.0**-126
"""What may be lost where float32 has no smaller number."""
CENTRE_ROWS = 4096
ROWS = 512
TAME = 2.0**40
"""Features below this, and their squares, need no scaling."""
VALUES = 1 << 20
"""Numbers that are worked on at once."""

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """Some rows in float32: Z (m, d), centred and scaled, and their squared norms (m,)."""

    Z: Singles
    squares: Singles

    def __len__(self) -> int:
        return len(self.Z)

    def __getitem__(self, part: Any) -> Block:
        return Block(self.Z[part], self.squares[part])

    @property
    def slack(self) -> float:
        """What rounding can change in a squared distance, as a share of the two squared norms."""
        return (self.Z.shape[1] + 32) * ROUNDING

    def upper(self, other: Block) -> Singles:
        """Return (m, k) values at or above the squared distances in exact arithmetic, in scaled units."""
        squared = self.Z @ other.Z.T
        squared *= np.float32(-2.0)
        squared += (self.squares * np.float32(1.0 + self.slack) + np.float32(self.Z.shape[1] * SMALLEST))[:, None]
        squared += other.squares * np.float32(1.0 + self.slack)
        return squared

    def lower(self, other: Block, upper: Singles) -> Singles:
        """Return (m, k) values at or below the squared distances in exact arithmetic, made from those above."""
        twice = np.float32(2.0 * self.slack)
        lower = upper - (self.squares * twice + np.float32(2 * self.Z.shape[1] * SMALLEST))[:, None]
        lower -= other.squares * twice
        return lower


@dataclass(frozen=True)
class Screen:
    """Brings rows of X into float32 without loss of what distances need.

    Attributes
    ----------
    X
        (n, d) float32 or float64.
    centre
        (d,) about the middle, in scaled units and X's dtype.
    shrink
        The power of two that X is multiplied by, so that squares neither overflow nor vanish.
    """

    X: npt.NDArray[np.floating]
    centre: npt.NDArray[np.floating]
    shrink: float

    @classmethod
    def of(cls, X: npt.NDArray[np.floating]) -> Screen:
        """Return the screen of all rows."""
        largest = float(max(X.max(initial=0.0), -float(X.min(initial=0.0))))
        tame = largest == 0.0 or 1.0 / TAME < largest < TAME
        shrink = 1.0 if tame else 2.0 ** -np.floor(np.log2(largest))
        some = X[:: -(-len(X) // CENTRE_ROWS)] * X.dtype.type(shrink)
        # a mean would follow one image that is far from all
        return cls(X, np.median(some, axis=0), float(shrink))

    def block(self, rows: IntArray) -> Block:
        """Return `rows` in float32."""
        Z = np.empty((len(rows), self.X.shape[1]), np.float32)
        for start in range(0, len(rows), ROWS):
            part = slice(start, start + ROWS)
            # the one rounding, whatever the dtype, is that of the difference
            Z[part] = self.scaled(rows[part]) - self.centre
        return Block(Z, np.einsum("ij,ij->i", Z, Z))

    def distances(self, rows: IntArray, others: IntArray) -> FloatArray:
        """Return (m,) exact distances of `rows` to `others`, pair by pair, in scaled units."""
        found = np.empty(len(rows))
        step = max(1, VALUES // self.X.shape[1])
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            difference = self.exact(rows[part]) - self.exact(others[part])
            found[part] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        return found

    def exact(self, rows: IntArray) -> FloatArray:
        """Return `rows` in float64, scaled by a power of two: no digit is lost."""
        return self.scaled(rows).astype(np.float64, copy=False)

    def scaled(self, rows: IntArray) -> npt.NDArray[np.floating]:
        """Return a copy of `rows` in X's dtype, scaled."""
        some = self.X[rows]
        if self.shrink != 1.0:
            some *= some.dtype.type(self.shrink)
        return some
