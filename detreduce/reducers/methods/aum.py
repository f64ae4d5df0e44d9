"""Area under the margin (aum): boxes whose class stays uncertain during a proxy training."""

from __future__ import annotations

from detreduce.reducers.engine.dynamics_reducer import DynamicsReducer


class AreaUnderMargin(DynamicsReducer):
    """Area under the margin: prefer images with boxes whose class the detector is least sure of.

    Each box is matched with a prediction. The margin of the box is the confidence of its own class minus the largest
    confidence of another class. The area is the mean margin over the epochs, and the score of the box is 1 minus the
    area. `over` sets how the scores of the boxes in an image are combined to scores_. The least certain images come
    first. The paper uses the area to find wrong labels. With `easy_first`, images with wrong labels come last.
    """

    name = "aum"
    source = "area under the margin, Pleiss et al. 2020 (NeurIPS, arXiv 2001.10528), applied to a detector's boxes"
    summary = "images with boxes whose class the detector is unsure of or gets wrong"
    fails = "Images with wrong labels or with boxes that cannot be found come first. At a small keep, try easy_first."
