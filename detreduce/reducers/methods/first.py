"""The first images in file order (first), as ultralytics' `fraction=` takes them."""

from __future__ import annotations

import numpy as np

from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool


class FirstImages(ScoringReducer):
    """The first images of each category in row order, which is file-name order: what ultralytics' `fraction=` does.

    It is there to be beaten. scores_ is minus the row number.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; nothing is drawn, so the seed decides nothing.
    """

    name = "first"
    family = "baseline"
    needs = ()
    cost = "n log n"
    source = "ultralytics, argument `fraction`"
    summary = "the first files in name order, as people do by accident"
    keeps = "earliest"
    fails = "Files are mostly sorted by scene or time: it keeps the first scenes and nothing of the others."
    deterministic = True
    has_ties = False
    order_dependent = True

    def _score(self, pool: Pool) -> FloatArray:
        return -pool.rows.astype(np.float64)
