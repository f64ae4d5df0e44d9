"""Greedy search that computes the gains of the best few hundred rows at once, using arrays.

Use this search if gains are fast to compute, and if each choice changes the gains of many rows a little. If gains are
slow to compute, use `lazy_greedy`, which computes one gain at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.reducers.engine.pool import FloatArray, IntArray
from detreduce.reducers.engine.search.greedy import DIGITS, NOTHING, GreedyTask

SMALLEST = 512
"""The smallest number of rows in a window."""


@dataclass
class ArrayGains:
    """The set function that a greedy method maximises. It must be monotone and submodular, so that gains never
    increase.

    Attributes
    ----------
    watch
        A function that takes rows, and returns a second function without arguments. The second function returns the
        current gain of each of these rows: how much the set function increases if the row is added.
    choose
        A function that is called with each row that was chosen.
    next_identical
        (n,) for each row, the next identical row in the order of priority, or -1 if there is none. Identical rows
        always have the same gain, so only the first of them is evaluated.
    """

    watch: Callable[[IntArray], Callable[[], FloatArray]]
    choose: Callable[[int], None]
    next_identical: IntArray


def windowed_greedy(gains: ArrayGains, task: GreedyTask) -> tuple[IntArray, FloatArray]:
    """Add rows one by one, each time the row with the largest gain. Return the rows and their gains.

    First, the gains of all rows are computed. The rows with the largest gains form the window. The largest gain outside
    the window is the bound. After each choice, only the gains in the window are computed again. Gains never increase,
    so no row outside the window can have a gain above the bound. When no gain in the window reaches the bound, a new
    window is formed. If this happens after a few choices, the new window is larger.

    Gains that agree in ten digits are a tie. The row with the lowest priority number wins a tie. `gains` must already
    take the rows in `task.chosen` into account.
    """
    order: list[int] = []
    values: list[float] = []
    heads = np.setdiff1d(np.arange(len(task.priority)), gains.next_identical)
    size = SMALLEST
    while len(order) < task.count:
        heads = _open_heads(heads, gains.next_identical, task.openings.mask)
        found = round_gains(gains.watch(heads)())
        heads, found = heads[found > 0.0], found[found > 0.0]
        if not len(heads):
            break
        best = _first(found, task.priority[heads], size + 1)
        inside = np.zeros(len(heads), np.bool_)
        inside[best[:size]] = True
        window, outside = heads[best[:size]], heads[~inside]
        bound = (float(found[best[size]]), -int(task.priority[heads[best[size]]])) if len(best) > size else (0.0, 0)
        chosen = _choose_in(window, bound, gains, task, task.count - len(order))
        order += [row for row, _ in chosen]
        values += [gain for _, gain in chosen]
        heads = np.concatenate([window, outside])
        # forming a window should take about as long as the choices within it
        if len(chosen) * size < len(heads):
            size *= 2
        elif size > SMALLEST and len(chosen) * size > 4 * len(heads):
            size //= 2
    if len(order) < task.count:
        # gains never increase, so the remaining rows add nothing
        order += task.openings.take_first(np.argsort(task.priority).tolist(), task.count - len(order))
        values += [0.0] * (len(order) - len(values))
    return np.array(order, np.int64), np.array(values)


def _first(gains: FloatArray, priority: IntArray, count: int) -> IntArray:
    """Return the positions of the `count` largest gains, or of all if there are fewer, with the largest gain first.

    Among equal gains, the lowest priority number comes first.
    """
    top = np.arange(len(gains))
    if count < len(gains):
        # sorting all gains would take most of the time
        top = np.flatnonzero(gains >= np.partition(gains, len(gains) - count)[len(gains) - count])
    return top[np.lexsort((priority[top], -gains[top]))][:count]


def round_gains(gains: FloatArray) -> FloatArray:
    """Round an array of gains in the same way as `rounded`."""
    digits, exponents = np.frexp(gains)
    return np.where(gains < NOTHING, 0.0, np.ldexp(np.round(digits * DIGITS), exponents - 33))


def _open_heads(heads: IntArray, next_identical: IntArray, mask: npt.NDArray[np.bool_]) -> IntArray:
    """Replace each row that is not a candidate by the first identical row that is a candidate.

    A row without such a replacement is left out.
    """
    kept = [heads[mask[heads]]]
    heads = heads[~mask[heads]]
    while len(heads):
        heads = next_identical[heads]
        heads = heads[heads >= 0]
        kept.append(heads[mask[heads]])
        heads = heads[~mask[heads]]
    return np.concatenate(kept)


def _choose_in(
    window: IntArray, bound: tuple[float, int], gains: ArrayGains, task: GreedyTask, most: int
) -> list[tuple[int, float]]:
    """Choose rows from a window as long as they are better than all rows outside. Return pairs (row, gain).

    `bound` describes the best row outside the window: the pair (gain, -priority number). The better of two rows has the
    larger pair. In `window`, the next identical row takes the place of each chosen row.
    """
    mask, rank = task.openings.mask, task.priority[window]
    current = gains.watch(window)
    found = round_gains(current())
    used_up: list[int] = []
    chosen: list[tuple[int, float]] = []
    while len(chosen) < most:
        top = float(found.max())
        tied = np.flatnonzero(found == top)
        place = int(tied[rank[tied].argmin()])
        if top <= 0.0 or (top, -int(rank[place])) < bound:
            break
        row = int(window[place])
        if is_open := bool(mask[row]):
            chosen.append((row, top))
            gains.choose(row)
            task.openings.take(row)
            task.advance(1)
        following = int(gains.next_identical[row])
        if following < 0:
            used_up.append(place)
        else:
            window[place], rank[place] = following, task.priority[following]
        if is_open:
            found = round_gains(current())
        found[used_up] = 0.0
    return chosen
