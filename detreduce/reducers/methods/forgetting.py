"""Forgetting: boxes that a proxy training detects and loses again."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class DetectorForgetting(DynamicsReducer):
    """The detector's own forgetting events: boxes that it detects and loses again.

    A box is detected at IoU of at least 0.5 and confidence of at least 0.25; a change from detected to not is an event,
    and a box that was never detected counts as many events as there were epochs. Most forgotten first, as in the paper.
    Counts tie often; the seed draws.
    """

    name = "forgetting"
    source = "forgetting events, Toneva et al. 2019 (ICLR, arXiv 1812.05159), of a detector's boxes"
    summary = "images with boxes that the detector never finds, or finds and loses"
    fails = "In a short proxy most boxes are never detected, so it counts boxes; it also loves wrong labels."
