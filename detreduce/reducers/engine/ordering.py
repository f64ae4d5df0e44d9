"""Convert scores to an order and an order to scores, with rules for ties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detreduce.reducers.engine.pool import FloatArray, IntArray

TIE = 1e-10
"""Scores that differ by less than this fraction are a tie, because rounding errors differ between machines."""


def best(scores: FloatArray, priority: IntArray, tie: float = TIE) -> int:
    """Return the index of the largest score.

    A score counts as equal to the largest score if it is smaller by at most the fraction `tie`. Among equal scores, the
    row with the lowest priority number wins.
    """
    top = scores.max()
    near = np.flatnonzero(scores >= (top - tie * abs(top) if np.isfinite(top) else top))
    return int(near[0]) if len(near) == 1 else int(near[np.argmin(priority[near])])


def descending(scores: FloatArray, precedence: Callable[[IntArray], IntArray]) -> tuple[IntArray, FloatArray]:
    """Sort rows by score, with the highest score first. Return the order, and the scores with ties made equal.

    Two neighbours in the sorted scores are tied if they differ by at most `TIE` times the larger magnitude. A tie can
    be a run of several such neighbours. All scores of a tie become the highest score of the tie, so that the order and
    the scores always agree.

    `precedence` is called with the tied rows. It returns one number for each tied row. The row with the lowest number
    comes first (see `Pool.precedence`).
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    above, below = ranked[:-1], ranked[1:]
    with np.errstate(invalid="ignore"):
        gap = above - below
        breaks = ~((above == below) | (gap <= TIE * np.maximum(np.abs(above), np.abs(below))))
    breaks |= np.isinf(above) != np.isinf(below)
    run = np.concatenate(([0], np.cumsum(breaks)))
    levelled = np.empty_like(scores)
    first_of_run = np.concatenate(([0], np.flatnonzero(breaks) + 1))
    levelled[order] = ranked[first_of_run][run]
    tied = np.flatnonzero(np.bincount(run)[run] > 1)
    if len(tied):
        order[tied] = order[tied][np.lexsort((precedence(order[tied]), run[tied]))]
    return order, levelled


def gain_scores(order: IntArray, gains: FloatArray, remaining: FloatArray) -> FloatArray:
    """Convert the gains of a greedy method to (n,) scores. A chosen row never scores lower than a row that is not
    chosen.

    The score of a chosen row is its gain at the time it was chosen. The score of any other row is its gain after the
    last choice.

    Parameters
    ----------
    order
        The chosen rows, in the order in which they were chosen.
    gains
        The gain of each chosen row. If rounding made a gain larger than the previous one, the previous gain is used.
    remaining
        (n,) the gain of every row after the last choice.
    """
    scores = np.minimum(remaining, gains.min(initial=np.inf))
    scores[order] = np.minimum.accumulate(gains)
    return scores


def place_scores(order: IntArray, remaining: FloatArray) -> FloatArray:
    """Return the position of each row as a negative score, (n,): 0 for the first row, -1 for the second, and so on.

    The rows in `order` come first. The other rows follow, sorted by `remaining`, with the highest value first. Greedy
    methods use these scores if the criteria of different steps cannot be compared.

    Parameters
    ----------
    order
        The chosen rows, in the order in which they were chosen.
    remaining
        (n,) the criterion of every row after the last choice. Rows with a higher value would be chosen sooner, and rows
        with equal values share a position. If the value is NaN (unknown), the score is NaN too.
    """
    scores = np.full(len(remaining), np.nan)
    seen = ~np.isnan(remaining)
    seen[order] = False
    if seen.any():
        _, levelled = descending(remaining[seen], lambda rows: rows)
        scores[seen] = 0.0 - len(order) - np.unique(-levelled, return_inverse=True)[1]
    scores[order] = 0.0 - np.arange(len(order))
    return scores
