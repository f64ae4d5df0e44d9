"""Reducers for frames that follow each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detreduce.reducers.base import BaseReducer, FitInput, Ranking
from detreduce.reducers.engine.pool import IntArray, Pool


class Stride(BaseReducer):
    """Every m-th frame: evenly spaced rows of each sequence, the first included.

    With `groups`, each group (video, sequence) is a sequence in the order of its rows, and seats go to the groups in
    proportion; without, all rows are one sequence. Of n frames, frame ``floor(i * n / k)`` is the i-th of k. A frame of
    `initial` stands for the place nearest to it. scores_ is minus the place within the group, NaN for frames that are
    left out. Categories are ignored.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; nothing is drawn, so the seed decides nothing.
    """

    name = "stride"
    family = "baseline"
    needs = ()
    uses = ("groups",)
    cost = "n"
    source = "every m-th frame of a video, by custom"
    summary = "every m-th frame of each sequence: what people do to videos"
    keeps = "evenly spaced"
    fails = "It looks at time alone: a camera that stands still gives the same frame again and again."
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
    """Return k of n places, evenly spaced from the first on, without those that the places `chosen` stand for.

    Each chosen place in turn stands for the nearest even place that none before it stands for (ties: the earlier); an
    even place that is itself chosen, but stands for another, gives way to the nearest free one.
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
