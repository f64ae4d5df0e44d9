"""Kept rows that are likely near to a row: the nearest along a few directions, of each of some groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.reducers.engine.pool import IntArray, derive_rng
from detreduce.representativeness.chunks import each_chunk
from detreduce.representativeness.screening import Block, Screen, Singles

AXES = 32
"""Likely neighbours are looked for along so many directions of largest variance."""
AXES_ROWS = 1000
NEAR = 64
"""Likely neighbours of each row."""
SEARCHED = 4096
"""Kept rows among which they are looked for at once."""
ROWS = 512
FAR = np.float32(1e37)
"""The square of what is farther than all; infinity would make matrix products complain."""


@dataclass(frozen=True)
class KeptRows:
    """The kept rows of a category, in an order that has nothing to do with what they hold.

    Attributes
    ----------
    screen
        The features.
    rows
        (k,) rows of X.
    block
        The same in float32.
    axes
        (d, p) directions, or None for all columns.
    """

    screen: Screen
    rows: IntArray
    block: Block
    axes: Singles | None

    @classmethod
    def of(cls, screen: Screen, rows: IntArray, axes: Singles | None) -> KeptRows:
        """Put `rows` into a seeded order: near ones may stand together, and each stretch must be like the others."""
        shuffled = derive_rng(0, "gaps").permutation(rows)
        return cls(screen, shuffled, screen.block(shuffled), axes)

    def __len__(self) -> int:
        return len(self.rows)

    def likely(
        self, queries: IntArray, begin: int = 0, advance: Callable[[int], object] = lambda _: None
    ) -> npt.NDArray[np.int32]:
        """Return (m, g) places of kept rows likely near to rows `queries` of X, the likeliest first.

        They are among the 4096 from `begin` on: all of these, where there are no more than 64.
        """
        others = _flattened(self.block[begin : begin + SEARCHED], self.axes)
        width = -(-len(others) // NEAR)
        groups = -(-len(others) // width)
        # |r - o|^2 - |r|^2 is one product of (-2r, 1) and (o, |o|^2)
        columns = np.zeros((others.shape[1] + 1, groups * width), np.float32)
        columns[:-1, : len(others)] = others.T
        columns[-1] = FAR
        columns[-1, : len(others)] = np.einsum("ij,ij->i", others, others)
        near = np.empty((len(queries), groups), np.int32)

        def look(part: slice) -> None:
            rows = _flattened(self.screen.block(queries[part]), self.axes)
            squared = np.hstack([-2.0 * rows, np.ones((len(rows), 1), np.float32)]) @ columns
            near[part] = begin + _best_of_groups(squared.reshape(len(rows), groups, width))

        each_chunk(look, len(queries), ROWS, advance)
        return near


def principal_axes(screen: Screen) -> Singles | None:
    """Return (d, 32) directions of about the largest variance, or None where there are hardly more columns.

    Halko, Martinsson and Tropp 2011, *Finding structure with randomness*, two power iterations on a sample of the rows.
    """
    n, d = screen.X.shape
    if d <= 2 * AXES:
        return None
    rng = derive_rng(0, "axes")
    Z = screen.block(rng.choice(n, min(n, AXES_ROWS), replace=False)).Z
    axes = rng.standard_normal((d, AXES), np.float32)
    for _ in range(2):
        axes = np.linalg.qr(Z.T @ (Z @ axes))[0]
    return np.ascontiguousarray(axes)


def _flattened(block: Block, axes: Singles | None) -> Singles:
    return block.Z if axes is None else block.Z @ axes


def _best_of_groups(values: Singles) -> npt.NDArray[np.int32]:
    """Return (m, g) the place of the smallest value of each group of (m, g, w), the smallest of all first."""
    place = values.argmin(axis=2)
    order = np.take_along_axis(values, place[:, :, None], axis=2)[:, :, 0].argsort(axis=1)
    place += np.arange(values.shape[1]) * values.shape[2]
    return np.take_along_axis(place, order, axis=1).astype(np.int32)
