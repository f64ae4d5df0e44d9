"""Uncertainty: prefer images in which a detector is not sure about the class of the boxes that it finds."""

from __future__ import annotations

from typing import Any

import numpy as np

from detreduce.arrays.proxy_log import OVERS
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool
from detreduce.reducers.engine.ranking import FitInput


class Uncertainty(ScoringReducer):
    """Uncertainty: prefer images in which a detector is not sure about the class of the boxes that it finds.

    A detector predicts boxes for images without labels. The uncertainty of a box is (1 - (p1 - p2))^2, where p1 and p2
    are the confidences of its two most likely classes. The score of an image is the sum, the mean or the maximum over
    its boxes. Images with the largest scores come first. An image without predicted boxes has the score 0.

    X is the block `uncertainty`, with one column each for the sum, the mean and the maximum. `detreduce.select` passes
    this block if the table has it. The block needs a detector: ``--detector`` of the command line, or `predict_boxes`.

    Parameters
    ----------
    over
        How the values of the boxes in an image are combined: ``"sum"``, ``"mean"`` or ``"max"``. With ``"sum"``, images
        with many boxes score higher.
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    name = "uncertainty"
    family = "detector"
    needs = ("uncertainty",)
    cost = "n, after one pass of a detector"
    source = "1-vs-2 margin with aggregation over boxes, Brust, Käding and Denzler 2019 (VISAPP, arXiv 1809.09875)"
    summary = "images in which a detector is not sure about the classes of its boxes"
    keeps = "hard, crowded"
    fails = "Frames of a standing camera score alike. Objects that the detector misses do not count."
    deterministic = True

    def __init__(self, *, keep: int | float = 0.25, over: str = "sum", random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.over = over

    def _check_params(self) -> None:
        if self.over not in OVERS:
            raise InputError(f"over={self.over!r} is not one of {', '.join(OVERS)}.{nearest(str(self.over), OVERS)}")

    def _prepare(self, problem: FitInput) -> None:
        if (width := problem.X.shape[1]) != len(OVERS):
            raise InputError(
                f"X has {width} columns, but the method 'uncertainty' needs the {len(OVERS)} columns of the block "
                "'uncertainty'. Name a detector (--detector best.pt), or pass table.blocks['uncertainty'] of "
                "extract_features(predict_boxes(dataset, 'best.pt'), blocks=('uncertainty',))."
            )

    def _score(self, pool: Pool) -> FloatArray:
        return np.asarray(pool.X[:, OVERS.index(self.over)], np.float64)
