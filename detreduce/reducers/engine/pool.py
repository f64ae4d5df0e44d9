"""The images of one category as a method gets them, with seeded draws and the order of ties."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
HASH_ROWS = 512


def derive_rng(seed: int, purpose: str, label: Any = "") -> np.random.Generator:
    """Return the generator for one purpose and category; other categories and the order of rows do not change it."""
    text = f"{purpose}\0{label}".encode()
    key = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return np.random.default_rng([seed, key])


@dataclass
class Pool:
    """The images of one category.

    Attributes
    ----------
    whole
        (n, d) the features of all images; see `X`.
    rows
        (n_c,) rows of the category's images in `whole`, ascending.
    code, label
        Number and name of the category.
    seats
        Number of images to choose, including `initial`.
    initial
        Rows of this pool chosen before, in order.
    seed
        Seed of the reducer; see `rng`.
    shared
        What `_prepare` of the method returned, for all categories.
    group_codes, group_left
        (n_c,) group of each row, and (G,) number of images that may still be chosen from each group; None without a
        limit.
    """

    whole: npt.NDArray[np.floating]
    rows: IntArray
    code: int
    label: Any
    seats: int
    initial: IntArray
    seed: int
    shared: Any = None
    group_codes: IntArray | None = None
    group_left: IntArray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def wanted(self) -> int:
        """Number of images to choose besides `initial`."""
        return self.seats - len(self.initial)

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a fresh generator for `purpose`; it does not depend on earlier draws."""
        return derive_rng(self.seed, purpose, self.label)

    @cached_property
    def X(self) -> npt.NDArray[np.floating]:
        """(n_c, d) float32 or float64, read-only; (n_c, 0) for methods that need no features."""
        return self.whole if len(self) == len(self.whole) else _frozen(self.whole[self.rows])

    @cached_property
    def priority(self) -> IntArray:
        """(n_c,) a seeded permutation that breaks ties, lowest first.

        It depends on the content of the rows. Their order only matters among equal rows.
        """
        return self._rank_by_content(np.arange(len(self)))

    def precedence(self, rows: IntArray) -> IntArray:
        """Return (m,) ranks of `rows` among themselves in the order of `priority`, without reading other rows."""
        return self.priority[rows] if "priority" in vars(self) else self._rank_by_content(rows)

    def _rank_by_content(self, rows: IntArray) -> IntArray:
        rng = self.rng("ties")
        multiplier = rng.integers(2**63, size=self.whole.shape[1] + 1, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        draws = rng.permutation(len(self))
        order = np.lexsort((draws[rows], _hash_rows(self.whole, self.rows[rows], multiplier)))
        rank = np.empty(len(rows), np.int64)
        rank[order] = np.arange(len(rows))
        return rank

    def draw(self, count: int) -> IntArray:
        """Return `count` rows of the pool (all, if it has fewer), drawn by seed and content, not by row order."""
        return np.argsort(self.priority)[:count]


def _frozen(array: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    array.flags.writeable = False
    return array


def _hash_rows(
    X: npt.NDArray[np.floating], rows: IntArray, multiplier: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    keys = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), HASH_ROWS):
        part = X[rows[start : start + HASH_ROWS]]
        # + 0.0 makes -0.0 equal to 0.0; float64 has the same bits for every float type of the caller
        bits = (np.ascontiguousarray(part, np.float64) + 0.0).view(np.uint64)
        bits ^= bits >> np.uint64(31)
        bits *= multiplier[:-1]
        bits ^= bits >> np.uint64(29)
        keys[start : start + HASH_ROWS] = bits.sum(axis=1, dtype=np.uint64) * multiplier[-1]
    return keys ^ (keys >> np.uint64(32))
