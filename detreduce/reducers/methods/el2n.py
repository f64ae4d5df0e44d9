"""EL2N: boxes whose class confidences are farthest from their label early in a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class ErrorNorm(DynamicsReducer):
    """EL2N: boxes whose class confidences are farthest from their label early in training.

    The score of a box is the L2 norm of its matched confidences minus its one-hot label, averaged over the first half
    of the epochs. scores_ combines the boxes of each image by `over`. The largest come first, as in the paper.
    """

    name = "el2n"
    source = "error L2-norm, Paul et al. 2021 (NeurIPS, arXiv 2107.07075), of a detector's boxes"
    summary = "images with boxes that the detector gets wrong early in training"
    fails = "Early in training nearly all boxes are equally wrong, so the sum counts boxes."
