"""Variance-based prediction score (vps): boxes whose predictions vary most during a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class VariancePredictionScore(DynamicsReducer):
    """Variance-based prediction score: boxes whose IoU x confidence varies most over the epochs.

    The score of a box is the variance over the epochs of IoU x confidence of its matched prediction. scores_ combines
    the boxes of each image by `over`. The most variable images come first, as in the paper.
    """

    name = "vps"
    source = "variance-based prediction score, Yagi 2025 (arXiv 2505.17245)"
    summary = "images with boxes whose predictions change most from epoch to epoch"
    keeps = "being learnt"
    fails = "A proxy too short to detect anything shows no variance. Boxes that it never learns score low."
