"""Disagreement: prefer images in which a detector finds other boxes when the image is mirrored."""

from __future__ import annotations

import numpy as np

from detreduce.errors import InputError
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool
from detreduce.reducers.engine.ranking import FitInput


class Disagreement(ScoringReducer):
    """Disagreement: prefer images in which a detector finds other boxes when the image is mirrored.

    A detector predicts boxes for each image and for its mirrored copy. The boxes of the copy are mirrored back. Boxes
    of the same class are matched one to one. The score of an image is 1 minus the mean IoU of the matches, weighted by
    confidence. A box without a match has the IoU 0. Images with the largest scores come first. An image without
    predicted boxes has the score 0.

    X is the block `disagreement`, with one column. `detreduce.select` passes this block if the table has it. The block
    needs a detector: ``--detector`` of the command line, or `predict_boxes` with ``mirrored=True``.

    Parameters
    ----------
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    name = "disagreement"
    family = "detector"
    needs = ("disagreement",)
    cost = "n, after two passes of a detector"
    source = (
        "IoU weighted by confidence, Kao et al. 2018 (ACCV, arXiv 1801.05124), between an image and its mirrored copy, "
        "Elezi et al. 2022 (CVPR, arXiv 2106.11921)"
    )
    summary = "images in which a detector finds other boxes when the image is mirrored"
    keeps = "unstable detections"
    fails = "It misses errors that the mirrored image repeats. Frames of a standing camera score alike."
    deterministic = True

    def _prepare(self, problem: FitInput) -> None:
        if (width := problem.X.shape[1]) != 1:
            raise InputError(
                f"X has {width} columns, but the method 'disagreement' needs the one column of the block "
                "'disagreement'. Name a detector (--detector best.pt), or pass table.blocks['disagreement'] of "
                "extract_features(predict_boxes(dataset, 'best.pt', mirrored=True), blocks=('disagreement',))."
            )

    def _score(self, pool: Pool) -> FloatArray:
        return np.asarray(pool.X[:, 0], np.float64)
