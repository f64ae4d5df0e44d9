"""The task of a greedy method in one pool, and a lazy greedy search that performs this task.

A greedy method adds one row (image) at a time: the best one, given the rows that are already chosen.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool

DIGITS = 2.0**33
"""Gains are rounded to ten digits (1 / DIGITS), so that rounding errors do not decide which row is chosen."""
NOTHING = 1e-12
"""A gain below this counts as 0."""


@dataclass
class GreedyTask:
    """The rows that a greedy method must add in one pool.

    Attributes
    ----------
    chosen
        The rows that are already chosen, in order.
    count
        Number of rows that the method must add.
    openings
        The candidates, which are the rows that may still be added. `Openings.take` updates them after each choice.
    priority
        (n,) numbers that break ties. The row with the lowest number wins.
    advance
        A function that is called with the number of rows that were just added.
    """

    chosen: IntArray
    count: int
    openings: Openings
    priority: IntArray
    advance: Callable[[int], object] = lambda _: None

    @classmethod
    def of(cls, pool: Pool, advance: Callable[[int], object]) -> Self:
        """Return the task of filling the quota of a pool."""
        return cls(pool.initial, pool.wanted, Openings(pool), pool.priority, advance)


@dataclass
class LazyGains:
    """The set function that a greedy method maximises. It must be monotone and submodular, so that gains never
    increase.

    Attributes
    ----------
    bounds
        (n,) upper bounds of the gains of the rows, before any row is chosen.
    gain
        A function that takes a row and returns how much the set function increases if this row is added.
    choose
        A function that is called with each row that was chosen.
    """

    bounds: FloatArray
    gain: Callable[[int], float]
    choose: Callable[[int], None]


def lazy_greedy(gains: LazyGains, task: GreedyTask) -> tuple[IntArray, FloatArray]:
    """Add rows one by one, each time the row with the largest gain (Minoux 1978). Return the rows and their gains.

    Gains never increase, so an old gain is an upper bound of the current gain. Therefore the gain of a row is computed
    again only if the row could still have the largest gain. Gains that agree in ten digits are a tie. The row with the
    lowest priority number wins a tie. `gains` must already take the rows in `task.chosen` into account.
    """
    order: list[int] = []
    values: list[float] = []
    ranks: Sequence[int] = task.priority.tolist()
    heap = [(-bound, ranks[row], row) for row, bound in enumerate((gains.bounds * (1.0 + 1e-9) + NOTHING).tolist())]
    heapq.heapify(heap)
    fresh = [-1] * len(ranks)
    openings, mask = task.openings, task.openings.mask
    while heap and len(order) < task.count:
        bound, _, row = heap[0]
        if not mask[row]:
            heapq.heappop(heap)
        elif fresh[row] != len(order):
            fresh[row] = len(order)
            heapq.heapreplace(heap, (-rounded(gains.gain(row)), ranks[row], row))
        elif bound >= 0.0:
            break
        else:
            order.append(row)
            values.append(-bound)
            gains.choose(row)
            openings.take(row)
            heapq.heappop(heap)
            task.advance(1)
    if len(order) < task.count:
        # gains never increase, so the remaining rows add nothing
        order += openings.take_first(np.argsort(task.priority).tolist(), task.count - len(order))
        values += [0.0] * (len(order) - len(values))
    return np.array(order, np.int64), np.array(values)


def rounded(gain: float) -> float:
    """Return a gain rounded to ten digits, or 0 if it is below `NOTHING`."""
    if gain < NOTHING:
        return 0.0
    digits, exponent = math.frexp(gain)
    return math.ldexp(round(digits * DIGITS), exponent - 33)
