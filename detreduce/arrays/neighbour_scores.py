"""Estimate missing scores of images as the mean scores of their nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.distances import CentredPoints, FloatArray
from detreduce.errors import InputError
from detreduce.machine.parallel import one_blas_thread, product

BLOCK_ENTRIES = 4_000_000
TIED = 1e-12
"""Two squared distances count as equal if they differ by at most this fraction of |x|^2 + |y|^2."""


def extrapolate(
    scores: npt.ArrayLike,
    X: npt.NDArray[np.floating],
    neighbours: int = 10,
    advance: Callable[[int], object] = lambda _: None,
) -> FloatArray:
    """Fill in missing scores: a row without scores gets the mean scores of its nearest neighbours that have scores.

    Distances are Euclidean. If several neighbours are tied for the last place, all of them are used, so the result does
    not depend on the order of the rows. The memory is one float64 copy of X plus a constant amount. See arXiv
    2406.13283 for a similar method.

    Parameters
    ----------
    scores
        (n,) or (n, m) scores. A row that contains a NaN counts as a row without scores.
    X
        (n, d) features.
    neighbours
        Number of neighbours to average over, at least 1. If fewer rows have scores, all of them are used.
    advance
        Progress callback. It is called with the number of rows that were just finished.

    Returns
    -------
    numpy.ndarray
        Float64, with the shape of `scores`. Rows that already had scores keep them.

    Raises
    ------
    InputError
        The lengths of `scores` and X differ, a score is infinite, or no row has scores.
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
    with one_blas_thread():
        for start in range(0, len(rest), step):
            rows = rest[start : start + step]
            squared = product(points.Z[rows], reference)
            squared *= -2.0
            squared += squares
            squared += points.squares[rows, None]
            reach = np.partition(squared, count - 1, axis=1)[:, [count - 1]]
            near = (squared <= reach + TIED * (points.squares[rows, None] + squares)).astype(np.float64)
            table[rows] = (near @ table[known]) / near.sum(axis=1, keepdims=True)
            advance(len(rows))
    return given


def check_scores(scores: Any, n: int) -> FloatArray:
    """Return a float64 copy of `scores`.

    Raise InputError if `scores` does not have n rows, contains an infinite value, or has a NaN in every row.
    """
    try:
        given = np.array(scores, np.float64)
    except (TypeError, ValueError):
        raise InputError("scores must be a table of numbers. Use NaN for unknown scores.") from None
    if given.ndim not in (1, 2) or len(given) != n:
        raise InputError(f"scores has the shape {given.shape}, but must have one row for each of the {n} images.")
    if np.isinf(given).any():
        row = int(np.argwhere(np.isinf(given))[0][0])
        raise InputError(f"scores has an infinite value in row {row}. Use NaN for unknown scores.")
    if np.isnan(given.reshape(n, -1)).any(axis=1).all():
        raise InputError("scores has a NaN for every image. At least one image must have scores.")
    return given
