"""First images (first): keep the first images in file order, as ultralytics' argument `fraction=` does."""

from __future__ import annotations

import numpy as np

from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool


class FirstImages(ScoringReducer):
    """First images: keep the first images of each image category, in the order of their file names.

    The argument `fraction=` of ultralytics does the same, but ignores categories. This method is a baseline: any useful
    method must give better results. scores_ is minus the row number.

    Parameters
    ----------
    keep, random_state
        See BaseReducer. The method does not make random choices, so the seed has no effect.
    """

    name = "first"
    family = "baseline"
    needs = ()
    cost = "n log n"
    source = "ultralytics, argument `fraction`"
    summary = "the first files in name order, which people often choose by accident"
    keeps = "earliest"
    fails = "File names often follow the scene or the time. Then the method keeps only the first scenes."
    deterministic = True
    has_ties = False
    order_dependent = True

    def _score(self, pool: Pool) -> FloatArray:
        return -pool.rows.astype(np.float64)
