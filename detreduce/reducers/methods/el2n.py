"""EL2N: prefer images with boxes whose class the detector predicts badly early in a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class ErrorNorm(DynamicsReducer):
    """EL2N: prefer images with boxes that the detector gets wrong early in training.

    Each box is matched with a prediction. The error of the box is the L2 norm of the predicted class confidences minus
    the one-hot label. The score of the box is the mean error over the first half of the epochs. scores_ of an image is
    the sum, mean or maximum of the scores of its boxes (see `over`). The images with the largest scores come first, as
    in the paper.
    """

    name = "el2n"
    source = "error L2-norm, Paul et al. 2021 (NeurIPS, arXiv 2107.07075), applied to a detector's boxes"
    summary = "images with boxes that the detector gets wrong early in training"
    fails = (
        "Early in training nearly all predictions are wrong. Then the score mostly shows how many boxes an image has."
    )
