"""The images nearest to given points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.pool import FloatArray, IntArray, best


def nearest_mean(points: CentredPoints, free: npt.NDArray[np.bool_], priority: IntArray) -> int:
    """Return the free row nearest the mean of all points; ties by priority."""
    squares = np.where(points.squares > 1e-20 * points.squares.max(), points.squares, 0.0)
    return best(np.where(free, -squares, -np.inf), priority)


def nearest_without_repeats(
    points: CentredPoints, centres: FloatArray, openings: Openings, priority: IntArray
) -> IntArray:
    """Return for each centre, in turn, the nearest point that is open; ties by priority."""
    order = np.empty(len(centres), np.int64)
    for start in range(0, len(centres), 64):
        block = centres[start : start + 64]
        squared = points.squares - 2.0 * (block @ points.Z.T) + np.einsum("ij,ij->i", block, block)[:, None]
        for offset, row_squared in enumerate(squared):
            candidates = np.where(openings.mask, row_squared, np.inf)
            # the products lose digits near a centre: settle the nearest few by differences
            slack = 1e-9 * (points.squares.max() + 1.0)
            close = np.flatnonzero(candidates <= candidates.min() + slack)
            exact = ((points.Z[close] - block[offset]) ** 2).sum(axis=1)
            row = int(close[best(-np.where(exact > 1e-24, exact, 0.0), priority[close])])
            order[start + offset] = row
            openings.take(row)
    return order
