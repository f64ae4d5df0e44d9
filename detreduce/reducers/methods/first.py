"""The first images in file order (first), as `fraction=` of ultralytics takes them."""

from __future__ import annotations

import numpy as np

from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool


class FirstImages(ScoringReducer):
    """The first images of each category in row order, which is file-name order, as `fraction=` of ultralytics does.

    It is a baseline to beat. scores_ is minus the row number.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; nothing is drawn, so the seed has no effect.
    """

    name = "first"
    family = "baseline"
    needs = ()
    cost = "n log n"
    source = "ultralytics, argument `fraction`"
    summary = "the first files in name order, which people often choose by accident"
    keeps = "earliest"
    fails = "Files are mostly sorted by scene or time: it keeps the first scenes and none of the others."
    deterministic = True
    has_ties = False
    order_dependent = True

    def _score(self, pool: Pool) -> FloatArray:
        return -pool.rows.astype(np.float64)
