"""The pool: the images of one category that a method ranks, with random generators and a rule for breaking ties."""

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
    """Return a random generator for one image category (`label`) and one purpose, such as "ties".

    Its random numbers do not depend on other categories or on the order of the rows.
    """
    text = f"{purpose}\0{label}".encode()
    key = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return np.random.default_rng([seed, key])


@dataclass
class Pool:
    """The images of one image category (or of another stratum). A method ranks each pool separately.

    Attributes
    ----------
    whole
        (n, d) features of the images of all categories. The features of this pool are in `X`.
    rows
        (n_c,) the rows of `whole` that belong to this pool, in ascending order.
    code
        The number of the category.
    label
        The name of the category.
    seats
        Quota of the category: the number of images to choose, including `initial`.
    initial
        Rows of this pool that are already chosen, in order.
    seed
        The random seed of the reducer, from which `rng` derives its seeds.
    shared
        The data that the method's `_prepare` returned. It is the same for all pools.
    group_codes
        (n_c,) group of each row. None if the number of images per group is not limited.
    group_left
        (G,) number of images that may still be chosen from each group. None if there is no limit.
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
        """Number of images to choose in addition to `initial`."""
        return self.seats - len(self.initial)

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a new random generator for one purpose. Its numbers do not depend on the use of other generators."""
        return derive_rng(self.seed, purpose, self.label)

    @cached_property
    def X(self) -> npt.NDArray[np.floating]:
        """(n_c, d) features of the pool, float32 or float64, read-only. The shape is (n_c, 0) if the method needs no
        features.
        """
        return self.whole if len(self) == len(self.whole) else _frozen(self.whole[self.rows])

    @cached_property
    def priority(self) -> IntArray:
        """(n_c,) numbers that break ties. The row with the lowest number wins.

        The numbers are a permutation that depends on the seed and on the content of the rows. The order of the rows
        matters only if rows are identical.
        """
        return self._rank_by_content(np.arange(len(self)))

    def precedence(self, rows: IntArray) -> IntArray:
        """Return numbers that sort `rows` in the same order as `priority` does, (m,). Only `rows` are read."""
        return self.priority[rows] if "priority" in vars(self) else self._rank_by_content(rows)

    def _rank_by_content(self, rows: IntArray) -> IntArray:
        """Return the rank of each of `rows` in a random order, (m,).

        The random order depends on the seed and on the content of the rows.
        """
        rng = self.rng("ties")
        multiplier = rng.integers(2**63, size=self.whole.shape[1] + 1, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        draws = rng.permutation(len(self))
        order = np.lexsort((draws[rows], _hash_rows(self.whole, self.rows[rows], multiplier)))
        rank = np.empty(len(rows), np.int64)
        rank[order] = np.arange(len(rows))
        return rank

    def draw(self, count: int) -> IntArray:
        """Return a random sample of `count` rows of the pool, or all rows if the pool has fewer.

        The sample depends on the seed and on the content of the rows, but not on the order of the rows.
        """
        return np.argsort(self.priority)[:count]


def _frozen(array: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    array.flags.writeable = False
    return array


def _hash_rows(
    X: npt.NDArray[np.floating], rows: IntArray, multiplier: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """Return (m,) a hash of the content of each of `rows`."""
    keys = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), HASH_ROWS):
        part = X[rows[start : start + HASH_ROWS]]
        # adding 0.0 turns -0.0 into 0.0; as float64, equal values of all float types have the same bits
        bits = (np.ascontiguousarray(part, np.float64) + 0.0).view(np.uint64)
        bits ^= bits >> np.uint64(31)
        bits *= multiplier[:-1]
        bits ^= bits >> np.uint64(29)
        keys[start : start + HASH_ROWS] = bits.sum(axis=1, dtype=np.uint64) * multiplier[-1]
    return keys ^ (keys >> np.uint64(32))
