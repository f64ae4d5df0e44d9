"""Variance-based prediction score (vps): boxes on which a proxy training changes its mind most."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class VariancePredictionScore(DynamicsReducer):
    """Variance-based prediction score: boxes whose IoU x confidence varies most over the epochs.

    scores_ is the variance over the epochs of IoU x confidence of a box's matched prediction, over the image's boxes;
    the most variable first, as in the paper.
    """

    name = "vps"
    source = "variance-based prediction score, Yagi 2025 (arXiv 2505.17245)"
    summary = "images whose boxes the detector is still making up its mind about"
    keeps = "being learnt"
    fails = "A proxy too short to detect anything shows no variance; boxes it never learns score low."
