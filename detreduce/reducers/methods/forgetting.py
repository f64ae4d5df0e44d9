"""Forgetting: prefer images with boxes that the detector finds and later misses again in a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class DetectorForgetting(DynamicsReducer):
    """Forgetting events: prefer images with boxes that the detector finds and later misses again.

    A box is detected if its matched prediction has an IoU of at least 0.5 and a confidence of at least 0.25. A
    forgetting event is a change from detected to missed between two epochs. A box that is never detected has one event
    for each epoch. scores_ of an image is the sum, mean or maximum of the numbers of events of its boxes (see `over`).
    The images with the most events come first, as in the paper. Many images have equal scores, and the seed decides
    between them.
    """

    name = "forgetting"
    source = "forgetting events, Toneva et al. 2019 (ICLR, arXiv 1812.05159), applied to a detector's boxes"
    summary = "images with boxes that the detector never finds, or finds and later misses again"
    fails = "After a short training, the score mostly shows how many boxes an image has. Wrong labels also come first."
