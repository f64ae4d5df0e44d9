"""What every greedy method is asked for, and lazy greedy search."""

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
"""Gains are rounded to a relative precision of 1 / DIGITS (1e-10), so that rounding errors decide no pick."""
NOTHING = 1e-12
"""A gain below this counts as 0."""


@dataclass
class GreedyTask:
    """Rows to add to those chosen before, in one category.

    Attributes
    ----------
    chosen
        Rows chosen before, in order.
    count
        Rows to add.
    openings
        Which rows may be added; kept up to date by `Openings.take`.
    priority
        (n,) breaks ties, lowest first.
    advance
        Called with the number of rows added.
    """

    chosen: IntArray
    count: int
    openings: Openings
    priority: IntArray
    advance: Callable[[int], object] = lambda _: None

    @classmethod
    def of(cls, pool: Pool, advance: Callable[[int], object]) -> Self:
        """Return the task of filling a pool's seats."""
        return cls(pool.initial, pool.wanted, Openings(pool), pool.priority, advance)


@dataclass
class LazyGains:
    """What a greedy method maximises: a monotone submodular function, whose gains only fall as rows are chosen.

    Attributes
    ----------
    bounds
        (n,) at least the gain of each row before any is chosen.
    gain
        Returns the gain of a row given the rows chosen so far.
    choose
        Called with each row chosen.
    twins
        (n,) the next row that has the same gain whatever is chosen, or -1, in the order of priority. Only the first of
        such rows is evaluated. None: no row has a twin.
    """

    bounds: FloatArray
    gain: Callable[[int], float]
    choose: Callable[[int], None]
    twins: IntArray | None = None


def lazy_greedy(gains: LazyGains, task: GreedyTask) -> tuple[IntArray, FloatArray]:
    """Return the rows added, each of the largest gain given those before it, and their gains (Minoux 1978).

    A gain is computed again only where the row could still win. Gains that agree to ten digits are a tie, which goes to
    the lowest priority number. Rows in `task.chosen` must be in `gains` already.
    """
    order: list[int] = []
    values: list[float] = []
    heap, twins = _first_bounds(gains, task.priority)
    ranks: Sequence[int] = task.priority.tolist()
    fresh = [-1] * len(ranks)
    openings, mask = task.openings, task.openings.mask
    while heap and len(order) < task.count:
        bound, _, row = heap[0]
        if not mask[row]:
            _replace_top(heap, bound, twins[row], ranks)
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
            _replace_top(heap, bound, twins[row], ranks)
            task.advance(1)
    if len(order) < task.count:
        # gains only fall: no other row adds anything
        order += openings.take_first(np.argsort(task.priority).tolist(), task.count - len(order))
        values += [0.0] * (len(order) - len(values))
    return np.array(order, np.int64), np.array(values)


def rounded(gain: float) -> float:
    """Return a gain rounded to ten digits; 0 if it is below `NOTHING`."""
    if gain < NOTHING:
        return 0.0
    digits, exponent = math.frexp(gain)
    return math.ldexp(round(digits * DIGITS), exponent - 33)


def _first_bounds(gains: LazyGains, priority: IntArray) -> tuple[list[tuple[float, int, int]], Sequence[int]]:
    """Return the heap of (-bound, priority, row) of rows that are not the twin of another, and the twins as a list."""
    n = len(priority)
    heads = np.arange(n)
    twins: Sequence[int] = [-1] * n
    if gains.twins is not None:
        heads = np.setdiff1d(heads, gains.twins)
        twins = gains.twins.tolist()
    bounds = (gains.bounds[heads] * (1.0 + 1e-9) + NOTHING).tolist()
    heap = [(-bound, int(priority[row]), int(row)) for bound, row in zip(bounds, heads, strict=True)]
    heapq.heapify(heap)
    return heap, twins


def _replace_top(heap: list[tuple[float, int, int]], bound: float, twin: int, ranks: Sequence[int]) -> None:
    """Replace the row at the top by its twin, with the same gain."""
    if twin < 0:
        heapq.heappop(heap)
    else:
        heapq.heapreplace(heap, (bound, ranks[twin], twin))
