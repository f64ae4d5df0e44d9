"""Reducers that sample: the file order that ultralytics takes, and stratified random sampling."""

from __future__ import annotations

import numpy as np

from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.pool import FloatArray, Pool


class FirstImages(ScoringReducer):
    """The first images of each category in row order, which is file-name order: what ultralytics' `fraction=` does.

    It is there to be beaten. scores_ is minus the row number.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; the seed decides nothing.
    """

    name = "first"
    family = "baseline"
    needs = ()
    cost = "n"
    source = "ultralytics, argument `fraction`"
    summary = "the first files in name order: what people do by accident"
    deterministic = True
    order_dependent = True

    def _score(self, pool: Pool) -> FloatArray:
        return -pool.rows.astype(np.float64)


class StratifiedRandom(ScoringReducer):
    """Stratified random sampling: images of each category, uniformly, without replacement.

    scores_ is the uniform draw of each image in [0, 1). X is not looked at.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; another seed draws another subset.
    """

    name = "srs"
    family = "statistic"
    needs = ()
    cost = "n"
    source = "stratified random sampling; arXiv 2403.15150, family statistic"
    summary = "a random subset with every category in proportion: the control to beat"
    deterministic = False

    def _score(self, pool: Pool) -> FloatArray:
        return pool.rng("srs").random(len(pool))
