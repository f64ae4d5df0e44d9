"""Area under the margin (aum): prefer images with boxes whose class stays uncertain during a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class AreaUnderMargin(DynamicsReducer):
    """Area under the margin: prefer images where the detector is least sure of the classes of the boxes.

    Each box is matched with a prediction. The margin of the box is the confidence of its own class minus the largest
    confidence of another class. The area under the margin is the mean margin over the epochs. The score of the box is 1
    minus this area. scores_ of an image is the sum, mean or maximum of the scores of its boxes (see `over`). The least
    certain images come first. The paper uses the area to find wrong labels, so images with wrong labels may come first
    too. With `easy_first`, they come last.
    """

    name = "aum"
    source = "area under the margin, Pleiss et al. 2020 (NeurIPS, arXiv 2001.10528), applied to a detector's boxes"
    summary = "images where the detector is unsure of the class of a box, or predicts a wrong class"
    fails = "Wrong labels, and boxes that the detector cannot find, come first. If keep is small, try easy_first."
