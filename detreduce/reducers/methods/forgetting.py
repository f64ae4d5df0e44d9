"""Forgetting: boxes that a proxy training detects and then misses again."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class DetectorForgetting(DynamicsReducer):
    """Forgetting events of the detector: boxes that it detects and then misses again.

    A box is detected if its IoU is at least 0.5 and its confidence at least 0.25. A change from detected to missed is
    an event. A box that was never detected counts one event for each epoch. scores_ combines the boxes of each image by
    `over`. The most forgotten images come first, as in the paper. Counts often tie, and the seed draws among them.
    """

    name = "forgetting"
    source = "forgetting events, Toneva et al. 2019 (ICLR, arXiv 1812.05159), of a detector's boxes"
    summary = "images with boxes that the detector never finds, or finds and then misses"
    fails = "In a short proxy most boxes are never detected, so it counts boxes. It also prefers wrong labels."
