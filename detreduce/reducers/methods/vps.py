"""Variance-based prediction score (vps): prefer images whose predictions vary strongly in a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class VariancePredictionScore(DynamicsReducer):
    """Variance-based prediction score: prefer images with boxes whose predictions vary most over the epochs.

    Each box is matched with a prediction in each epoch. The score of the box is the variance of IoU x confidence over
    the epochs. scores_ of an image is the sum, mean or maximum of the scores of its boxes (see `over`). The images with
    the largest scores come first, as in the paper.
    """

    name = "vps"
    source = "variance-based prediction score, Yagi 2025 (arXiv 2505.17245)"
    summary = "images with boxes whose predictions change most from epoch to epoch"
    keeps = "being learnt"
    fails = "If the proxy training is too short, predictions do not vary. Boxes that are never learnt score low."
