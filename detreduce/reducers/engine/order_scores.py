"""Scores of greedy methods whose criterion at one pick says nothing beside that at another: the place in the order."""

from __future__ import annotations

import numpy as np

from detreduce.reducers.engine.pool import FloatArray, IntArray, descending


def place_scores(order: IntArray, left: FloatArray) -> FloatArray:
    """Return (n,) minus the place of each row: those chosen first, then the others by falling `left`.

    Parameters
    ----------
    order
        Rows in the order chosen.
    left
        (n,) the method's criterion of every row after the last pick, higher = chosen sooner; NaN where it did not look.
        Rows whose criteria tie share the place.
    """
    scores = np.full(len(left), np.nan)
    seen = ~np.isnan(left)
    seen[order] = False
    if seen.any():
        _, levelled = descending(left[seen], lambda rows: rows)
        scores[seen] = 0.0 - len(order) - np.unique(-levelled, return_inverse=True)[1]
    scores[order] = 0.0 - np.arange(len(order))
    return scores
