"""EL2N: boxes whose class confidences are farthest from their label early in a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class ErrorNorm(DynamicsReducer):
    """EL2N: boxes whose class confidences are farthest from their label early in training.

    scores_ is the L2 norm of a box's matched confidences minus its one-hot label, mean over the first half of the
    epochs, over the image's boxes. Largest first, as in the paper.
    """

    name = "el2n"
    source = "error L2-norm, Paul et al. 2021 (NeurIPS, arXiv 2107.07075), of a detector's boxes"
    summary = "images with boxes that the detector gets wrong early on"
    fails = "Early on nearly all boxes are wrong by the same amount, so the sum counts boxes."
