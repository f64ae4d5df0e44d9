"""Lazy greedy maximisation: gains that only fall are taken anew only where they could still win."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.pool import FloatArray, IntArray

DIGITS = 2.0**33
"""Gains are rounded to this many binary steps (1e-10), so that rounding decides no pick."""
NOTHING = 1e-12
"""A gain below this is none."""


@dataclass
class LazyGains:
    """What a greedy method maximises: a monotone submodular function.

    Attributes
    ----------
    bounds
        (n,) the gain of each row before any is chosen, or more.
    gain
        The gain of a row beside those chosen so far.
    choose
        Called with each row chosen.
    twins
        (n,) the next row with the same gain, whatever is chosen, or -1; only the first of such rows is looked at. They
        stand in order of priority. None: no row has twins.
    """

    bounds: FloatArray
    gain: Callable[[int], float]
    choose: Callable[[int], None]
    twins: IntArray | None = None


def lazy_greedy(
    gains: LazyGains,
    count: int,
    openings: Openings,
    priority: IntArray,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[IntArray, FloatArray]:
    """Return `count` rows, each of the largest gain beside those before it, and their gains (Minoux 1978).

    Rows whose gains agree to ten digits are a tie, which goes to the lowest priority number.
    """
    order: list[int] = []
    found: list[float] = []
    heap, twins = _first(gains, priority)
    ranks: Sequence[int] = priority.tolist()
    fresh = [-1] * len(ranks)
    mask = openings.mask
    while heap and len(order) < count:
        bound, _, row = heap[0]
        if not mask[row]:
            _replace(heap, bound, twins[row], ranks)
        elif fresh[row] != len(order):
            fresh[row] = len(order)
            heapq.heapreplace(heap, (-rounded(gains.gain(row)), ranks[row], row))
        elif bound >= 0.0:
            break
        else:
            order.append(row)
            found.append(-bound)
            gains.choose(row)
            openings.take(row)
            _replace(heap, bound, twins[row], ranks)
            advance(1)
    if len(order) < count:
        # gains never rise: nothing that is left adds anything
        order += openings.take_first(np.argsort(priority).tolist(), count - len(order))
        found += [0.0] * (len(order) - len(found))
    return np.array(order, np.int64), np.array(found)


def rounded(gain: float) -> float:
    """Return a gain to ten digits, and 0 for what is none."""
    if gain < NOTHING:
        return 0.0
    digits, exponent = math.frexp(gain)
    return math.ldexp(round(digits * DIGITS), exponent - 33)


def _first(gains: LazyGains, priority: IntArray) -> tuple[list[tuple[float, int, int]], Sequence[int]]:
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


def _replace(heap: list[tuple[float, int, int]], bound: float, twin: int, ranks: Sequence[int]) -> None:
    """Put a row's twin in its place at the top, with the gain that the row had."""
    if twin < 0:
        heapq.heappop(heap)
    else:
        heapq.heapreplace(heap, (bound, ranks[twin], twin))
