"""Scores of some rows given to the others by their nearest neighbours: pure arrays, for features and reducers alike."""

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
    """Give every row without scores the mean of those of its nearest rows that have them.

    Cf. arXiv 2406.13283. Distances are Euclidean; all rows as near as the last of the `neighbours` count too, so that
    the order of the rows decides nothing. Memory beside a float64 copy of X is bounded.

    Parameters
    ----------
    scores
        (n,) or (n, m): NaN in a row makes it one without scores.
    X
        (n, d) features.
    neighbours
        At least 1; where fewer have scores, all of these.
    advance
        Called with the number of rows done.

    Returns
    -------
    numpy.ndarray
        Float64, shaped as `scores`; rows that had scores keep them.

    Raises
    ------
    InputError
        Other lengths than X's, infinite scores, or not one row with scores.
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
    """A copy of `scores` as float64; raises InputError for what `extrapolate` says."""
    try:
        given = np.array(scores, np.float64)
    except (TypeError, ValueError):
        raise InputError("scores are not a table of numbers; unknown ones are NaN.") from None
    if given.ndim not in (1, 2) or len(given) != n:
        raise InputError(f"scores has shape {given.shape}; one row for each of the {n} images is needed.")
    if np.isinf(given).any():
        raise InputError(f"scores row {int(np.argwhere(np.isinf(given))[0][0])} is infinite; unknown ones are NaN.")
    if np.isnan(given.reshape(n, -1)).any(axis=1).all():
        raise InputError("scores are NaN for every image: there is nothing to extrapolate from.")
    return given
