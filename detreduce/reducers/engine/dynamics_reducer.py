"""The base class of methods that rank images by what happened to their boxes in a proxy training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS, OVERS
from detreduce.errors import InputError, RandomDrawWarning, nearest
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool
from detreduce.reducers.engine.ranking import FitInput


class DynamicsReducer(ScoringReducer):
    """A method that ranks images by scores of their boxes, which were recorded in a proxy training.

    `name` is the name of the score.

    X is the block `dynamics` with 13 or more columns. Columns 0 to 12 are `DYNAMICS_COLUMNS`, and further columns only
    break ties. `detreduce.select` passes this block if the table has it. Images without boxes have the score -inf and
    come last, even with `easy_first`, because the detector learns least from them.

    Parameters
    ----------
    over
        How the scores of the boxes in an image are combined: ``"sum"``, ``"mean"`` or ``"max"``. With ``"sum"``, images
        with many boxes score higher.
    easy_first
        Whether images with the lowest scores come first.
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    family = "training"
    needs = ("dynamics",)
    cost = "n, after a proxy training"
    deterministic = True
    keeps = "hard, crowded"

    def __init__(
        self, *, keep: int | float = 0.25, over: str = "sum", easy_first: bool = False, random_state: Any = 0
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.over = over
        self.easy_first = easy_first

    def _check_params(self) -> None:
        if self.over not in OVERS:
            raise InputError(f"over={self.over!r} is not one of {', '.join(OVERS)}.{nearest(str(self.over), OVERS)}")
        if not isinstance(self.easy_first, bool):
            raise InputError(f"easy_first={self.easy_first!r} must be True or False.")

    def _prepare(self, problem: FitInput) -> None:
        width, wanted = problem.X.shape[1], len(DYNAMICS_COLUMNS)
        if width < wanted:
            raise InputError(
                f"X has {width} columns, but the method {self.name!r} needs the {wanted} columns of the block "
                "'dynamics'. Pass table.blocks['dynamics'] of extract_features(…, blocks=('dynamics',), proxy=…)."
            )
        scores = problem.X[problem.X[:, DYNAMICS_COLUMNS.index("boxes")] > 0, self._column]
        if len(scores) > 1 and (scores == scores[0]).all():
            warnings.warn(
                f"The choice of {self.name} is random, because all images with boxes have the same score. "
                "Try a longer proxy training: use more epochs, or set nbs= to the batch size.",
                RandomDrawWarning,
                stacklevel=4,
            )

    @property
    def _column(self) -> int:
        """The index of the column of X that contains the score, for example the column ``el2n_sum``."""
        return DYNAMICS_COLUMNS.index(f"{self.name}_{self.over}")

    def _score(self, pool: Pool) -> FloatArray:
        scores = pool.X[:, self._column].astype(float)
        boxes = pool.X[:, DYNAMICS_COLUMNS.index("boxes")]
        return np.where(boxes > 0, -scores if self.easy_first else scores, -np.inf)
