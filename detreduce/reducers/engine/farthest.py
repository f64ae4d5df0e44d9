"""Farthest-point order, exact, in matrix products instead of one matrix-vector product a pick."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.pool import TIE, FloatArray, IntArray, best

BLOCK = 64
CANDIDATES = 128


def farthest_points(
    points: CentredPoints,
    chosen: IntArray,
    count: int,
    openings: Openings,
    priority: IntArray,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Extend `chosen` by `count` points, each the farthest from all before it (Gonzalez 1985).

    The next picks are foretold among the few hundred farthest points, which is right as long as the farthest of those
    is farther than everything else; their distances to all points then come from one matrix product. The outcome is
    that of the plain algorithm.

    Parameters
    ----------
    points
        n points.
    chosen
        At least one row, chosen before.
    count
        Points to add; at most those that are left.
    openings, priority
        Which may be added, and the order of ties, lowest first.
    advance
        Called with the number of picks made.

    Returns
    -------
    order : (count,) int64
    distances : (count,) float64
        Distance of each pick to those before it; never rises.
    nearest : (n,) float64
        Distance of every point to the nearest chosen one.
    """
    near = np.full(len(points), np.inf)
    for start in range(0, len(chosen), BLOCK):
        _cover(points, near, chosen[start : start + BLOCK])
    near[chosen] = -1.0
    order: list[int] = []
    picked: list[float] = []
    far = _open(near, openings)
    while len(order) < count:
        if far.max() <= 0.0:
            rest = [row for row in np.argsort(priority).tolist() if near[row] == 0.0]
            order += openings.take_first(rest, count - len(order))
            picked += [0.0] * (count - len(picked))
            break
        block = _foretell(points, far, min(BLOCK, count - len(order)), priority)
        squared = points.products(block)
        for position, row in enumerate(block):
            if position and (far.max() <= 0.0 or best(far, priority, 2 * TIE) != row):
                break
            order.append(int(row))
            picked.append(float(near[row]))
            _approach(points, near, squared[position], int(row))
            near[row] = -1.0
            openings.take(int(row))
            far = _open(near, openings)
        advance(position or 1)
    distances = np.sqrt(np.minimum.accumulate(np.array(picked))) if picked else np.empty(0)
    nearest = np.sqrt(near.clip(0.0))
    return np.array(order, np.int64), distances * points.scale, nearest * points.scale


def _open(near: FloatArray, openings: Openings) -> FloatArray:
    """Return `near` itself where nothing but the rows taken is closed, else with -1 for what is."""
    return np.where(openings.mask, near, -1.0) if openings.limited else near


def _cover(points: CentredPoints, near: FloatArray, rows: IntArray) -> None:
    for squared, row in zip(points.products(rows), rows, strict=True):
        _approach(points, near, squared, int(row))


def _approach(points: CentredPoints, near: FloatArray, squared: FloatArray, row: int) -> None:
    """Lower `near` where `row`, at `squared` from all, is nearer; few points are."""
    closer = np.flatnonzero(squared < near)
    near[closer] = np.minimum(near[closer], points.settled(squared[closer], closer, row).clip(0.0))


def _foretell(points: CentredPoints, near: FloatArray, count: int, priority: IntArray) -> IntArray:
    """Return up to `count` next picks, right unless rounding decides; the first one always is."""
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
