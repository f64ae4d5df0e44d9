"""Choose in parts, and then among the chosen images (GreeDi, Mirzasoleiman et al. 2013, arXiv 1411.0541).

The images of a pool are divided at random into parts. The method first chooses candidates in each part, and more of
them than are needed. Then it chooses among the candidates of all parts.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detreduce.errors import InputError
from detreduce.machine.parallel import map_parts
from detreduce.reducers.engine.pool import IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking

SURPLUS = 2.0
"""Each part chooses this multiple of its share of the images to keep."""
LINEAR = "its time grows only in proportion to the number of images"
"""Why most methods do not accept `partitions`."""
NEIGHBOURHOODS = "it compares each image with all near images, and parts would separate them"


def check_partitions(partitions: Any, n: int | None = None) -> None:
    """Raise InputError if `partitions` is neither None nor a number of parts from 1 to `n`, the number of images."""
    if partitions is None:
        return
    whole = isinstance(partitions, numbers.Integral) and not isinstance(partitions, bool | np.bool_)
    if not whole or partitions < 1:
        raise InputError(f"partitions={partitions!r} is not a number of parts. Use an integer of at least 1.")
    if n is not None and partitions > n:
        raise InputError(f"partitions={int(partitions)} is more than the {n} images. Use fewer parts.")


def share_of_parts(pool: Pool, partitions: int) -> int:
    """Return the number of parts of a pool, if the whole dataset has `partitions` parts. It is at least 1."""
    share = round(partitions * len(pool) / len(pool.whole))
    return max(1, min(share, len(pool) - len(pool.initial)))


@dataclass(frozen=True)
class Division:
    """The parts of one pool.

    Attributes
    ----------
    pool
        The pool. Its rows in `initial` belong to every part.
    parts
        The rows of each part, as positions in the pool. Parts do not overlap.
    """

    pool: Pool
    parts: Sequence[IntArray]

    @classmethod
    def of(cls, pool: Pool, count: int) -> Division:
        """Divide the rows of a pool at random into `count` parts of about the same size.

        The division depends on the seed and on the content of the rows, but not on the order of the rows.
        """
        free = np.ones(len(pool), bool)
        free[pool.initial] = False
        order = np.argsort(pool.priority)
        order = order[free[order]]
        return cls(pool, [order[start::count] for start in range(count)])

    @property
    def wanted(self) -> list[int]:
        """The number of candidates to choose in each part.

        It is `SURPLUS` times the share of the part. It is also at most half way between this share and all rows, so
        that the second choice has fewer rows.
        """
        rows = sum(len(part) for part in self.parts)
        numbers_wanted = []
        for part in self.parts:
            share = self.pool.wanted * len(part) / max(1, rows)
            most = min(SURPLUS * share, (share + len(part)) / 2)
            numbers_wanted.append(min(self.room(part), int(np.ceil(most))))
        return numbers_wanted

    def room(self, rows: IntArray) -> int:
        """Return how many of some rows the limits on groups allow."""
        pool = self.pool
        if pool.group_codes is None or pool.group_left is None:
            return len(rows)
        groups, sizes = np.unique(pool.group_codes[rows], return_counts=True)
        return int(np.minimum(sizes, pool.group_left[groups].clip(0)).sum())

    def problem(self, problem: FitInput, part: IntArray, wanted: int) -> FitInput:
        """Return the task of choosing `wanted` rows of a part, as if the part were a whole dataset.

        The first rows of this dataset are those in `initial` of the pool. The rows of the part follow.
        """
        local = np.concatenate([self.pool.initial, part])
        rows, chosen = self.pool.rows[local], len(self.pool.initial)
        groups = problem.groups
        return replace(
            problem,
            X=problem.X[rows],
            codes=np.zeros(len(rows), np.int64),
            labels=[self.pool.label],
            k=chosen + wanted,
            initial=np.arange(chosen, dtype=np.int64),
            seats=np.array([chosen + wanted], np.int64),
            objects=None if problem.objects is None else problem.objects.take(rows),
            groups=None if groups is None else replace(groups, codes=groups.codes[rows]),
            shared=None,
        )


def find_candidates(rank: Callable[[FitInput], Ranking], problem: FitInput, division: Division) -> IntArray:
    """Choose candidates in each part, and return their positions in the pool, sorted.

    If the limits on groups allow too few of the candidates, all rows become candidates.

    Parameters
    ----------
    rank
        A function that ranks a part (see `Division.problem`). It must be possible to pickle it, because parts can be
        ranked in other processes.
    problem
        The arguments of `fit`.
    division
        The parts of one pool.
    """
    pool, wanted = division.pool, division.wanted
    tasks = [division.problem(problem, *pair) for pair in zip(division.parts, wanted, strict=True)]
    found = [
        part[ranking.order[:count] - len(pool.initial)]
        for part, count, ranking in zip(division.parts, wanted, map_parts(rank, tasks), strict=True)
    ]
    candidates = np.concatenate(found)
    if division.room(candidates) < pool.wanted:
        candidates = np.concatenate(division.parts)
    return np.sort(candidates)


def among(pool: Pool, candidates: IntArray) -> tuple[Pool, IntArray]:
    """Return a pool that has only the rows in `initial` and the candidates, and the positions of its rows."""
    local = np.sort(np.concatenate([pool.initial, candidates]))
    smaller = replace(
        pool,
        rows=pool.rows[local],
        initial=np.searchsorted(local, pool.initial),
        group_codes=None if pool.group_codes is None else pool.group_codes[local],
    )
    return smaller, local


def spread_ranking(ranking: Ranking, local: IntArray, n: int) -> Ranking:
    """Convert a ranking of the rows `local` to a ranking of all n rows of a pool. The other rows have no scores."""
    scores = np.full(n, np.nan)
    scores[local] = ranking.scores
    return Ranking(local[ranking.order], scores)
