"""From scores to an order: ties, sorting, and the place in the order as a score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detreduce.reducers.engine.pool import FloatArray, IntArray

TIE = 1e-10
"""Scores that differ by less than this share of their size are a tie: rounding differs between machines."""


def best(scores: FloatArray, priority: IntArray, tie: float = TIE) -> int:
    """Return the index of the largest score; of those within `tie` of it, the one with the lowest priority number."""
    top = scores.max()
    near = np.flatnonzero(scores >= (top - tie * abs(top) if np.isfinite(top) else top))
    return int(near[0]) if len(near) == 1 else int(near[np.argmin(priority[near])])


def descending(scores: FloatArray, precedence: Callable[[IntArray], IntArray]) -> tuple[IntArray, FloatArray]:
    """Sort by falling score; return the order, and the scores with ties made equal.

    A tie is a run of scores in which neighbours differ by less than `TIE` of the larger magnitude. All of a run get its
    highest value, so order and scores always agree. `precedence` is called with the rows that are in a tie and returns
    the numbers that break it, lowest first, as `Pool.precedence` does.
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
    """Return (n,) the gain of each chosen row, and at most the smallest of these for the others.

    Parameters
    ----------
    order
        Rows in the order chosen.
    gains
        Gain of each of them; where rounding makes one rise, the one before it counts.
    remaining
        (n,) gain of every row after the last pick.
    """
    scores = np.minimum(remaining, gains.min(initial=np.inf))
    scores[order] = np.minimum.accumulate(gains)
    return scores


def place_scores(order: IntArray, remaining: FloatArray) -> FloatArray:
    """Return (n,) minus the place of each row: first the rows of `order`, then the others by falling `remaining`.

    For greedy methods whose criterion at one pick cannot be compared with that at another.

    Parameters
    ----------
    order
        Rows in the order chosen.
    remaining
        (n,) the criterion of every row after the last pick, higher = chosen sooner; NaN where it is unknown. Rows whose
        criteria tie share a place.
    """
    scores = np.full(len(remaining), np.nan)
    seen = ~np.isnan(remaining)
    seen[order] = False
    if seen.any():
        _, levelled = descending(remaining[seen], lambda rows: rows)
        scores[seen] = 0.0 - len(order) - np.unique(-levelled, return_inverse=True)[1]
    scores[order] = 0.0 - np.arange(len(order))
    return scores
