"""The input and the output of a method: the checked arguments of `fit`, and the ranking of one pool."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers.engine.groups import Groups
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool


@dataclass
class FitInput:
    """The arguments of `fit` after the checks.

    Attributes
    ----------
    X
        (n, d) float32 or float64, read-only. If the method does not need features, (n, 0).
    codes
        (n,) number of the category (or other stratum) of each image, 0..C-1.
    labels
        The C labels of these categories, sorted.
    k
        Number of images to choose.
    initial
        (m,) rows that are already chosen, in order.
    seats
        (C,) quota of each category: the number of images to choose, including `initial`.
    seed
        Random seed.
    objects
        The ObjectTable that was passed to `fit`. None for methods that do not need an ObjectTable.
    groups
        The group of each image, and the largest number of images to choose from one group.
    shared
        The result of `_prepare`. All pools share this result.
    """

    X: npt.NDArray[np.floating]
    codes: IntArray
    labels: list[Any]
    k: int
    initial: IntArray
    seats: IntArray
    seed: int
    objects: ObjectTable | None = None
    groups: Groups | None = None
    shared: Any = None

    @property
    def limited(self) -> bool:
        """Whether `max_per_group` limits the number of images from one group."""
        return self.groups is not None and self.groups.most is not None

    def pools(self, wanted: Collection[int] | None = None) -> Iterator[Pool]:
        """Yield one pool for each stratum, in the order of the codes.

        If `wanted` is given, yield only pools with these codes.
        """
        remaining = self.groups.remaining(self.initial) if self.groups and self.limited else None
        by_code = split_by_code(np.arange(len(self.codes)), self.codes, len(self.labels))
        chosen = split_by_code(self.initial, self.codes, len(self.labels))
        for code in range(len(self.labels)) if wanted is None else sorted(wanted):
            label, rows = self.labels[code], by_code[code]
            initial = np.searchsorted(rows, chosen[code])
            groups = self.groups.codes[rows] if self.groups and remaining is not None else None
            yield Pool(
                self.X, rows, code, label, int(self.seats[code]), initial, self.seed, self.shared, groups, remaining
            )


def split_by_code(rows: IntArray, codes: IntArray, count: int) -> list[IntArray]:
    """Return, for each of the `count` categories (or other strata), its entries of `rows`, in the same order.

    `codes` (n,) has the category of every row of the dataset.
    """
    own = codes[rows]
    ends = np.cumsum(np.bincount(own, minlength=count))
    return np.split(rows[np.argsort(own, kind="stable")], ends[:-1])


@dataclass
class Ranking:
    """The result of a method for one pool.

    Attributes
    ----------
    order
        At least `pool.wanted` rows of the pool, best first, without `initial`.
    scores
        (n_c,) float64 score of each row of the pool. Rows with a higher score come earlier in `order`. NaN means that
        the score was not computed.
    """

    order: IntArray
    scores: FloatArray


def check_ranking(ranking: Ranking, pool: Pool, complete: bool) -> None:
    """Raise RuntimeError if the result of `_rank` is not valid.

    An invalid result is a bug in the method, not an error of the caller.
    """
    order = np.asarray(ranking.order)
    wanted = len(pool) - len(pool.initial) if complete else pool.wanted
    if len(order) < wanted or len(np.unique(order)) != len(order) or np.isin(pool.initial, order).any():
        raise RuntimeError(f"Category {pool.label!r}: the method ranked {len(order)} rows, but {wanted} are needed.")
    if ranking.scores.shape != (len(pool),):
        raise RuntimeError(f"Category {pool.label!r}: scores have shape {ranking.scores.shape}, not ({len(pool)},).")
