"""MaxMin (mms): keep images that are far from each other, also called farthest-point or k-centre greedy selection."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.ordering import TIE, best
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking, split_by_code
from detreduce.reducers.engine.search.greedy import GreedyTask
from detreduce.reducers.engine.validation import check_rows

BLOCK = 64
"""Number of choices that are predicted at once."""
CANDIDATES = 128
"""Number of farthest rows among which the next choices are predicted."""


class MaxMin(BaseReducer):
    """MaxMin (farthest point, k-centre greedy): in each step, add the image that is farthest from the chosen images.

    Each image category is treated separately. The distance of an image is its distance to the nearest chosen image.
    scores_ of a chosen image is its distance to the nearest image that was chosen before it. This value equals the
    covering radius (largest gap) of the images chosen before. The first image of a category has the score +inf. scores_
    of a dropped image is its distance to the nearest chosen image after the last step.

    Parameters
    ----------
    start
        First image of each category. ``"center"`` takes the image nearest to the mean of the category. A row number
        sets the first image of one category, and the other categories use ``"center"``. A list has one row number for
        each category. `start` has no effect on categories with images that must be kept (`initial`).
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    name = "mms"
    family = "geometric"
    cost = "n_c * k_c * d"
    source = "Gonzalez 1985 (doi 10.1016/0304-3975(85)90224-5); a geometric method in arXiv 2403.15150"
    summary = "images that are far from each other: each step adds the image farthest from the chosen images"
    keeps = "diverse"
    fails = "Outliers, mislabelled and broken images come first."
    no_partitions = "in measurements, the largest gap then was up to 27 % larger"
    deterministic = True
    nested = True
    _keeps_to_groups = True

    def __init__(
        self, *, keep: int | float = 0.25, start: str | int | Sequence[int] = "center", random_state: Any = 0
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.start = start

    def leave_rows(self, rows: IntArray, n: int) -> None:
        """Renumber the rows in the parameter `start`. Raise InputError if it contains a removed row."""
        if isinstance(self.start, str) or len(rows) == n:
            return
        single = isinstance(self.start, numbers.Integral)
        starts = check_rows([self.start] if single else self.start, n, "start")
        removed = np.setdiff1d(starts, rows)
        if len(removed):
            raise InputError(
                f"start={int(removed[0])} is the row of an image that is removed as a duplicate. Use another row."
            )
        places = np.searchsorted(rows, starts)
        self.start = int(places[0]) if single else places.tolist()

    def _check_params(self) -> None:
        if isinstance(self.start, str) and self.start != "center":
            raise InputError(
                f"start={self.start!r} is unknown. Use 'center', a row number, or a list with one row of each category."
            )
        if isinstance(self.start, numbers.Real) and (
            isinstance(self.start, bool) or not isinstance(self.start, numbers.Integral) or self.start < 0
        ):
            raise InputError(f"start={self.start!r} is not a row number. Use an integer of at least 0.")

    def _prepare(self, problem: FitInput) -> list[IntArray]:
        """Return the rows in the parameter `start`, as one array for each category.

        If `start` is "center", the arrays are empty.
        """
        if isinstance(self.start, str):
            return [np.empty(0, np.int64)] * len(problem.labels)
        single = isinstance(self.start, numbers.Integral) and not isinstance(self.start, bool)
        rows = check_rows([self.start] if single else self.start, len(problem.X), "start")
        codes = problem.codes[rows]
        if not single and sorted(codes) != list(range(len(problem.labels))):
            raise InputError(f"start has {len(codes)} rows, but must have one row of each category {problem.labels}.")
        return split_by_code(rows, problem.codes, len(problem.labels))

    def _rank(self, pool: Pool) -> Ranking:
        points = CentredPoints.of(pool.X)
        first, distances = np.empty(0, np.int64), np.empty(0)
        with progress(f"mms {pool.label}", pool.wanted, "images") as advance:
            task = GreedyTask.of(pool, advance)
            if not len(pool.initial):
                first = np.array([self._start_of(pool, points, task.openings)])
                distances = np.array([np.inf])
                task.openings.take(int(first[0]))
                advance(1)
                task = replace(task, chosen=first, count=task.count - 1)
            order, at, nearest = farthest_points(points, task)
        order = np.concatenate([first, order])
        nearest[order] = np.concatenate([distances, at])
        return Ranking(order, nearest)

    @staticmethod
    def _start_of(pool: Pool, points: CentredPoints, openings: Openings) -> int:
        """Return the first row to choose from the pool: a row in the parameter `start` if there is one.

        Otherwise, return the row nearest to the mean.
        """
        given = np.searchsorted(pool.rows, pool.shared[pool.code])
        given = given[openings.mask[given]]
        return int(given[0]) if len(given) else nearest_mean(points, openings.mask, pool.priority)


def nearest_mean(points: CentredPoints, free: npt.NDArray[np.bool_], priority: IntArray) -> int:
    """Return the row that is nearest to the mean of all points, among the rows where `free` is True.

    `priority` breaks ties.
    """
    squares = np.where(points.squares > 1e-20 * points.squares.max(), points.squares, 0.0)
    return best(np.where(free, -squares, -np.inf), priority)


def farthest_points(points: CentredPoints, task: GreedyTask) -> tuple[IntArray, FloatArray, FloatArray]:
    """Add points one by one, each time the point that is farthest from all chosen points (Gonzalez 1985).

    The plain algorithm chooses one point and then computes its distances to all points. This function gives the same
    result, but is faster. It predicts several choices and computes all their distances with one matrix product. A
    predicted point is accepted if it is still the farthest of all points.

    Parameters
    ----------
    points
        The n points.
    task
        The points to add. At least one point must already be chosen.

    Returns
    -------
    order : (count,) int64
        The added points, in order.
    distances : (count,) float64
        The distance from each added point to the nearest point that was chosen before. These values never rise.
    nearest : (n,) float64
        The distance from every point to the nearest chosen point.
    """
    openings, priority = task.openings, task.priority
    near = np.full(len(points), np.inf)
    for start in range(0, len(task.chosen), BLOCK):
        rows = task.chosen[start : start + BLOCK]
        for squared, row in zip(points.products(rows), rows, strict=True):
            _lower(near, points, squared, int(row))
    near[task.chosen] = -1.0
    order: list[int] = []
    picked: list[float] = []
    far = _open_distances(near, openings)
    while len(order) < task.count:
        if far.max() <= 0.0:
            # all remaining points coincide with chosen ones
            rest = [row for row in np.argsort(priority).tolist() if near[row] == 0.0]
            order += openings.take_first(rest, task.count - len(order))
            picked += [0.0] * (task.count - len(picked))
            break
        block = _predict_picks(points, far, min(BLOCK, task.count - len(order)), priority)
        squared = points.products(block)
        for position, row in enumerate(block):
            if position and (far.max() <= 0.0 or best(far, priority, 2 * TIE) != row):
                break
            order.append(int(row))
            picked.append(float(near[row]))
            _lower(near, points, squared[position], int(row))
            near[row] = -1.0
            openings.take(int(row))
            far = _open_distances(near, openings)
        task.advance(position or 1)
    distances = np.sqrt(np.minimum.accumulate(np.array(picked))) if picked else np.empty(0)
    nearest = np.sqrt(near.clip(0.0))
    return np.array(order, np.int64), distances * points.scale, nearest * points.scale


def _open_distances(near: FloatArray, openings: Openings) -> FloatArray:
    """Return a copy of `near` with -1 for rows that may not be chosen. Chosen rows already have -1."""
    return np.where(openings.mask, near, -1.0) if openings.limited else near


def _lower(near: FloatArray, points: CentredPoints, squared: FloatArray, row: int) -> None:
    """Update the distances in `near` after `row` was chosen.

    `near` has the squared distance from each point to the nearest chosen point. `squared` has the squared distance from
    each point to `row`.
    """
    closer = np.flatnonzero(squared < near)
    near[closer] = np.minimum(near[closer], points.settled(squared[closer], closer, row).clip(0.0))


def _predict_picks(points: CentredPoints, near: FloatArray, count: int, priority: IntArray) -> IntArray:
    """Predict up to `count` next choices. The first prediction is always right."""
    size = min(CANDIDATES, len(near))
    top = np.argpartition(near, len(near) - size)[len(near) - size :]
    first = best(near, priority, 2 * TIE)
    top = np.unique(np.append(top, first))
    threshold = near[top].min()
    Z, squares = points.Z[top], points.squares[top]
    squared = squares[:, None] + squares - 2.0 * (Z @ Z.T)
    local, local_priority = near[top].copy(), priority[top]
    picks: list[int] = []
    row = int(np.searchsorted(top, first))
    while True:
        picks.append(row)
        np.minimum(local, squared[row], out=local)
        local[picks] = -1.0
        if len(picks) == count or local.max() <= max(threshold, 0.0):
            return top[picks]
        row = best(local, local_priority, 2 * TIE)
