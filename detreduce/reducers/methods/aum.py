"""Area under the margin (aum): boxes whose class stays uncertain during a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class AreaUnderMargin(DynamicsReducer):
    """Area under the margin: boxes whose class the detector is least sure of, compared with other classes.

    The margin of a box is the matched confidence of its class minus the largest of another class. The area is the mean
    margin over the epochs, and the score of the box is 1 minus the area. scores_ combines the boxes of each image by
    `over`. The least certain images come first. The paper uses the area to find wrong labels; with `easy_first` these
    come last.
    """

    name = "aum"
    source = "area under the margin, Pleiss et al. 2020 (NeurIPS, arXiv 2001.10528), of a detector's boxes"
    summary = "images with boxes whose class the detector is unsure of or gets wrong"
    fails = "Wrong labels and boxes that are impossible to find come first. At a small keep, try easy_first."
