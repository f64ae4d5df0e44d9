"""MaxMin (mms): farthest points, also called k-centre greedy."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer, FitInput, Ranking
from detreduce.reducers.engine.farthest import farthest_points
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.nearest_points import nearest_mean
from detreduce.reducers.engine.pool import IntArray, Pool
from detreduce.reducers.engine.validation import check_rows


class MaxMin(BaseReducer):
    """MaxMin (farthest point, k-centre greedy): always the image farthest from those chosen.

    scores_ is the distance at which an image was chosen, which is the covering radius so far (+inf for the start); for
    the others, their distance to the nearest chosen one. Gonzalez (1985), *Clustering to minimize the maximum
    intercluster distance*.

    Parameters
    ----------
    start
        ``"center"``: the image nearest the mean of its category. A row of X: that image, the other categories from
        their centre. A list: one row of each category. Where `initial` names images of a category, they are its start.
    keep, random_state
        See BaseReducer.
    """

    name = "mms"
    family = "geometric"
    cost = "n_c * k_c * d"
    source = "Gonzalez 1985 (doi 10.1016/0304-3975(85)90224-5); arXiv 2403.15150, family geometric"
    summary = "always the image farthest from those chosen"
    keeps = "diverse"
    fails = "Outliers, mislabelled and broken images come first."
    deterministic = True
    nested = True
    _keeps_to_groups = True

    def __init__(
        self, *, keep: int | float = 0.25, start: str | int | Sequence[int] = "center", random_state: Any = 0
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.start = start

    def leave_rows(self, rows: IntArray, n: int) -> None:
        """Find the starts among the rows that are left."""
        if isinstance(self.start, str) or len(rows) == n:
            return
        single = isinstance(self.start, numbers.Integral)
        wanted = check_rows([self.start] if single else self.start, n, "start")
        lost = np.setdiff1d(wanted, rows)
        if len(lost):
            raise InputError(f"start={int(lost[0])} is the row of an image that is left out as a duplicate.")
        places = np.searchsorted(rows, wanted)
        self.start = int(places[0]) if single else places.tolist()

    def _check_params(self) -> None:
        if isinstance(self.start, str) and self.start != "center":
            raise InputError(f"start={self.start!r} is not known: give 'center', a row number or one row a category.")
        if isinstance(self.start, numbers.Real) and (
            isinstance(self.start, bool) or not isinstance(self.start, numbers.Integral) or self.start < 0
        ):
            raise InputError(f"start={self.start!r} is not a row number: rows go from 0.")

    def _prepare(self, problem: FitInput) -> IntArray:
        if isinstance(self.start, str):
            return np.empty(0, np.int64)
        one = isinstance(self.start, numbers.Integral) and not isinstance(self.start, bool)
        rows = check_rows([self.start] if one else self.start, len(problem.X), "start")
        codes = problem.codes[rows]
        if not one and sorted(codes) != list(range(len(problem.labels))):
            raise InputError(f"start has {len(codes)} rows, but must name one row of each category ({problem.labels}).")
        return rows

    def _rank(self, pool: Pool) -> Ranking:
        points = CentredPoints.of(pool.X)
        openings = Openings(pool)
        chosen, order, distances = pool.initial, np.empty(0, np.int64), np.empty(0)
        if not len(chosen):
            given = np.searchsorted(pool.rows, np.intersect1d(pool.rows, pool.shared))
            given = given[openings.mask[given]]
            first = int(given[0]) if len(given) else nearest_mean(points, openings.mask, pool.priority)
            openings.take(first)
            chosen = order = np.array([first])
            distances = np.array([np.inf])
        count = pool.wanted - len(order)
        with progress(f"mms {pool.label}", count, "images") as advance:
            more, at, nearest = farthest_points(points, chosen, count, openings, pool.priority, advance)
        order = np.concatenate([order, more])
        nearest[order] = np.concatenate([distances, at])
        return Ranking(order, nearest)
