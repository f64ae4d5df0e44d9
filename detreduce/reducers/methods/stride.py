"""Stride: keep every m-th frame of each video."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.partitions import LINEAR
from detreduce.reducers.engine.pool import IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking


class Stride(BaseReducer):
    """Every m-th frame: keep evenly spaced images of each sequence, starting with the first image.

    With `groups`, each group (a video) is a sequence in row order, and each sequence gets its share of the selection.
    Without `groups`, all images are one sequence. To keep k of n frames, the method takes the frames ``floor(i * n /
    k)`` for i = 0, 1, ..., k - 1. If a frame must be kept (`initial`), it replaces the nearest of these frames. scores_
    is 0 for the first chosen frame of a sequence, -1 for the second, and so on. For frames that are not chosen, scores_
    is NaN. Image categories are not used.

    Parameters
    ----------
    keep, random_state
        See BaseReducer. The method does not make random choices, so the seed has no effect.
    """

    name = "stride"
    family = "baseline"
    needs = ()
    uses = ("groups",)
    cost = "n"
    source = "every m-th frame of a video, common practice"
    summary = "every m-th frame of each sequence, as is common for videos"
    keeps = "evenly spaced"
    fails = "The method only considers time. A camera that does not move gives many images that are almost the same."
    no_partitions = LINEAR
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
    """Return evenly spaced numbers from 0 to n - 1. Together with the numbers in `chosen`, there are k numbers.

    The evenly spaced numbers start at 0. Each number in `chosen` replaces the nearest evenly spaced number that is not
    replaced yet. If two are equally near, it replaces the smaller one. If an evenly spaced number that remains is
    itself in `chosen`, the nearest free number is returned instead.
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
