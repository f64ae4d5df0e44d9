"""The input of a method (the checked arguments of `fit`) and its output (the ranking of one pool)."""

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
        (n, d) float32 or float64, read-only. The shape is (n, 0) if the method does not need features.
    codes
        (n,) the number of the category (or other stratum) of each image, from 0 to C - 1.
    labels
        The C labels of these categories, sorted.
    k
        Number of images to choose.
    initial
        (m,) the rows that are already chosen, in order.
    seats
        (C,) quota of each category: the number of images to choose, including `initial`.
    seed
        Random seed.
    objects
        The ObjectTable that was passed to `fit`. It is None if the method does not use objects.
    groups
        The group of each image, and the largest number of images to choose from one group. None if there are no groups.
    shared
        The data that `_prepare` returned, which all pools share.
    partitions
        Number of parts into which the whole dataset is divided. 1 means that the method ranks each pool as a whole.
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
    partitions: int = 1

    @property
    def limited(self) -> bool:
        """Whether `max_per_group` limits the number of images from one group."""
        return self.groups is not None and self.groups.most is not None

    def pools(self, wanted: Collection[int] | None = None) -> Iterator[Pool]:
        """Yield one pool for each stratum, in the order of the stratum numbers.

        If `wanted` is given, yield only the pools of these strata.
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
    """Split `rows` by category (or other stratum). Return one array for each of the `count` categories.

    The rows of a category keep their order. `codes` is the (n,) category of every row of the dataset.
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
        Rows of the pool, best first. There are at least `pool.wanted` rows, and none of them is in `pool.initial`.
    scores
        (n_c,) float64 score of each row of the pool. Rows with a higher score come earlier in `order`. A score is NaN
        if it was not computed.
    """

    order: IntArray
    scores: FloatArray


def check_ranking(ranking: Ranking, pool: Pool, complete: bool) -> None:
    """Raise RuntimeError if the result of `_rank` is not valid.

    This would be a bug in the method, and not an error of the caller.
    """
    order = np.asarray(ranking.order)
    wanted = len(pool) - len(pool.initial) if complete else pool.wanted
    if len(order) < wanted or len(np.unique(order)) != len(order) or np.isin(pool.initial, order).any():
        raise RuntimeError(f"Category {pool.label!r}: the method ranked {len(order)} rows, but {wanted} are needed.")
    if ranking.scores.shape != (len(pool),):
        raise RuntimeError(f"Category {pool.label!r}: scores have shape {ranking.scores.shape}, not ({len(pool)},).")
