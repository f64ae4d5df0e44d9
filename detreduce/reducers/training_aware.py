"""Reducers that rank images by what a short training of a detector, the proxy, showed of their boxes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS, OVERS
from detreduce.errors import InputError, RandomDrawWarning, nearest
from detreduce.reducers.base import Problem, ScoringReducer
from detreduce.reducers.pool import FloatArray, Pool


class _Dynamics(ScoringReducer):
    """Images by one score of their boxes during a proxy training; `name` says which.

    X is the block `dynamics`, (n, 13 or more), of which the columns are known by place: `DYNAMICS_COLUMNS`; further
    columns decide nothing but ties. `detreduce.select` hands it over where the table has it. Images without boxes teach
    the detector the least, hard or easy: they score -inf and come last.

    Parameters
    ----------
    over
        An image's score from those of its boxes: their ``"sum"``, ``"mean"`` or ``"max"``. The sum also counts boxes.
    easy_first
        The images with boxes of the lowest score first.
    keep, random_state
        See BaseReducer; the seed decides ties alone.
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
            raise InputError(f"easy_first={self.easy_first!r} is neither True nor False.")

    def _prepare(self, problem: Problem) -> None:
        width, wanted = problem.X.shape[1], len(DYNAMICS_COLUMNS)
        if width < wanted:
            raise InputError(
                f"X has {width} columns, and the method {self.name!r} reads the {wanted} of the block 'dynamics': "
                "pass table.blocks['dynamics'] of extract_features(…, blocks=('dynamics',), proxy=…)."
            )
        scores = problem.X[problem.X[:, DYNAMICS_COLUMNS.index("boxes")] > 0, self._column]
        if len(scores) > 1 and (scores == scores[0]).all():
            warnings.warn(
                f"{self.name} is a random draw: all images with boxes score the same. A longer proxy may tell them "
                "apart: raise its epochs, or give it nbs= its batch.",
                RandomDrawWarning,
                stacklevel=4,
            )

    @property
    def _column(self) -> int:
        return DYNAMICS_COLUMNS.index(f"{self.name}_{self.over}")

    def _score(self, pool: Pool) -> FloatArray:
        scores = pool.X[:, self._column].astype(float)
        boxes = pool.X[:, DYNAMICS_COLUMNS.index("boxes")]
        return np.where(boxes > 0, -scores if self.easy_first else scores, -np.inf)


class VariancePredictionScore(_Dynamics):
    """Variance-based prediction score: boxes whose IoU x confidence varies most over the epochs.

    scores_ is the variance over the epochs of IoU x confidence of a box's matched prediction, over the image's boxes;
    the most variable first, as in the paper.
    """

    name = "vps"
    source = "variance-based prediction score, Yagi 2025 (arXiv 2505.17245)"
    summary = "images whose boxes the detector is still making up its mind about"
    keeps = "being learnt"
    fails = "A proxy too short to detect anything shows no variance; boxes it never learns score low."


class DetectorForgetting(_Dynamics):
    """The detector's own forgetting events: boxes that it detects and loses again.

    A box is detected at IoU of at least 0.5 and confidence of at least 0.25; a change from detected to not is an event,
    and a box that was never detected counts as many events as there were epochs. Most forgotten first, as in the paper.
    Counts tie often; the seed draws.
    """

    name = "forgetting"
    source = "forgetting events, Toneva et al. 2019 (ICLR, arXiv 1812.05159), of a detector's boxes"
    summary = "images with boxes that the detector never finds, or finds and loses"
    fails = "In a short proxy most boxes are never detected, so it counts boxes; it also loves wrong labels."


class ErrorNorm(_Dynamics):
    """EL2N: boxes whose class confidences are farthest from their label early in training.

    scores_ is the L2 norm of a box's matched confidences minus its one-hot label, mean over the first half of the
    epochs, over the image's boxes. Largest first, as in the paper.
    """

    name = "el2n"
    source = "error L2-norm, Paul et al. 2021 (NeurIPS, arXiv 2107.07075), of a detector's boxes"
    summary = "images with boxes that the detector gets wrong early on"
    fails = "Early on nearly all boxes are wrong by the same amount, so the sum counts boxes."


class AreaUnderMargin(_Dynamics):
    """Area under the margin: boxes that the detector is least sure of against other classes.

    A box's margin is the matched confidence of its class minus the largest of another, and the area its mean over the
    epochs; scores_ is 1 minus the area, over the image's boxes. The least sure first. The paper looks for wrong labels
    there: with `easy_first` these come last.
    """

    name = "aum"
    source = "area under the margin, Pleiss et al. 2020 (NeurIPS, arXiv 2001.10528), of a detector's boxes"
    summary = "images with boxes that the detector stays unsure of or takes for another class"
    fails = "Wrong labels and boxes nobody could find come first; at a small keep easy_first may do better."
