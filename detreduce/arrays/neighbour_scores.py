"""Scores of some rows, extended to the others by their nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.distances import CentredPoints, FloatArray
from detreduce.errors import InputError

BLOCK_ENTRIES = 4_000_000
TIED = 1e-12
"""Squared distances that differ by less than this share of the points' squared norms are equal."""


def extrapolate(
    scores: npt.ArrayLike,
    X: npt.NDArray[np.floating],
    neighbours: int = 10,
    advance: Callable[[int], object] = lambda _: None,
) -> FloatArray:
    """Give every row without scores the mean scores of the nearest rows that have them.

    Cf. arXiv 2406.13283. Distances are Euclidean. Rows as near as the last of the `neighbours` count too, so the order
    of the rows does not matter. Memory is a float64 copy of X and a bounded amount.

    Parameters
    ----------
    scores
        (n,) or (n, m); a row with a NaN is a row without scores.
    X
        (n, d) features.
    neighbours
        At least 1; if fewer rows have scores, all of these count.
    advance
        Called with the number of rows done.

    Returns
    -------
    numpy.ndarray
        Float64, with the shape of `scores`; rows that had scores keep them.

    Raises
    ------
    InputError
        If the lengths of `scores` and X differ, a score is infinite, or no row has scores.
    """
    given = check_scores(scores, len(X))
    table = given.reshape(len(given), -1)
    unknown = np.isnan(table).any(axis=1)
    known = np.flatnonzero(~unknown)
    rest = np.flatnonzero(unknown)
    points = CentredPoints.of(X)
    reference, squares = points.Z[known], points.squares[known]
    count = min(neighbours, len(known))
    step = max(1, BLOCK_ENTRIES // len(known))
    for start in range(0, len(rest), step):
        rows = rest[start : start + step]
        squared = points.Z[rows] @ reference.T
        squared *= -2.0
        squared += squares
        squared += points.squares[rows, None]
        reach = np.partition(squared, count - 1, axis=1)[:, [count - 1]]
        near = (squared <= reach + TIED * (points.squares[rows, None] + squares)).astype(np.float64)
        table[rows] = (near @ table[known]) / near.sum(axis=1, keepdims=True)
        advance(len(rows))
    return given


def check_scores(scores: Any, n: int) -> FloatArray:
    """Return a float64 copy of `scores` for n rows; raise InputError as `extrapolate` does."""
    try:
        given = np.array(scores, np.float64)
    except (TypeError, ValueError):
        raise InputError("scores are not a table of numbers: use NaN for unknown scores.") from None
    if given.ndim not in (1, 2) or len(given) != n:
        raise InputError(f"scores has shape {given.shape}, but needs one row for each of the {n} images.")
    if np.isinf(given).any():
        raise InputError(
            f"scores row {int(np.argwhere(np.isinf(given))[0][0])} is infinite: use NaN for unknown scores."
        )
    if np.isnan(given.reshape(n, -1)).any(axis=1).all():
        raise InputError("scores are NaN for every image: at least one must be known.")
    return given
