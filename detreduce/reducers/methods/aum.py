"""Area under the margin (aum): boxes that a proxy training stays unsure of."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class AreaUnderMargin(DynamicsReducer):
    """Area under the margin: boxes that the detector is least sure of against other classes.

    A box's margin is the matched confidence of its class minus the largest of another, and the area its mean over the
    epochs; scores_ is 1 minus the area, over the image's boxes. The least sure first. The paper looks for wrong labels
    there: with `easy_first` these come last.
    """

    name = "aum"
    source = "area under the margin, Pleiss et al. 2020 (NeurIPS, arXiv 2001.10528), of a detector's boxes"
    summary = "images with boxes that the detector stays unsure of or takes for another class"
    fails = "Wrong labels and boxes nobody could find come first; at a small keep easy_first may do better."
