"""Stride: every m-th frame of each video."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detreduce.reducers.base import BaseReducer, FitInput, Ranking
from detreduce.reducers.engine.pool import IntArray, Pool


class Stride(BaseReducer):
    """Every m-th frame: evenly spaced rows of each sequence, starting with the first.

    With `groups`, each group (a video) is a sequence in row order, and seats go to the groups in proportion. Without,
    all rows are one sequence. The i-th of k frames out of n is frame ``floor(i * n / k)``. A frame of `initial` takes
    the place nearest to it. scores_ is minus the place within the group, and NaN for frames that are not chosen.
    Categories are ignored.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; nothing is drawn, so the seed has no effect.
    """

    name = "stride"
    family = "baseline"
    needs = ()
    uses = ("groups",)
    cost = "n"
    source = "every m-th frame of a video, common practice"
    summary = "every m-th frame of each sequence, as is common for videos"
    keeps = "evenly spaced"
    fails = "It only considers time: a camera that stands still gives the same frame again and again."
    deterministic = True
    has_ties = False
    nested = False
    order_dependent = True
    uses_categories = False
    _keeps_to_groups = True

    def _stratify(self, problem: FitInput) -> FitInput:
        groups = problem.groups
        codes = np.zeros(len(problem.codes), np.int64) if groups is None else groups.codes
        labels: list[Any] = [0] if groups is None else groups.labels
        return self._seated(replace(problem, codes=codes, labels=labels))

    def _rank(self, pool: Pool) -> Ranking:
        order = evenly_spaced(len(pool), pool.seats, pool.initial)
        scores = np.full(len(pool), np.nan)
        scores[order] = 0.0 - np.arange(len(order))
        return Ranking(order, scores)


def evenly_spaced(n: int, k: int, chosen: IntArray) -> IntArray:
    """Return k of n places, evenly spaced from the first on, without those that the places `chosen` replace.

    Each chosen place in turn replaces the nearest even place that is not yet replaced (the earlier one in a tie). If an
    even place is itself chosen but replaces another, the nearest free place is returned instead.
    """
    even = np.arange(k) * n // k
    if not len(chosen):
        return even
    for place in chosen:
        even = np.delete(even, np.abs(even - place).argmin())
    free = np.ones(n, bool)
    free[chosen] = False
    for position, place in enumerate(even):
        if not free[place]:
            others = np.setdiff1d(np.flatnonzero(free), even)
            even[position] = others[np.abs(others - place).argmin()]
        free[even[position]] = False
    return np.sort(even)
