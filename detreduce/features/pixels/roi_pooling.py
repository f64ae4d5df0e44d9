"""Pool boxes from a feature map with RoI-align, and average over all boxes of one class in one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

BINS = 2
LEAST_SIDE = 1e-3  # in cells of the map; with it, a box without area is pooled at its centre
VALUES_AT_ONCE = 1 << 22
WORDS = (
    "RoI-align (torchvision, aligned) of each box cut off at the image's border, "
    f"{BINS}x{BINS} bins with at least one sample a cell, averaged; mean over the image's boxes of the class"
)


@dataclass(frozen=True)
class PlacedBoxes:
    """The boxes of a batch of images, placed in the network's input.

    Attributes
    ----------
    corners
        (K, 4) float64: x1, y1, x2, y2 as fractions of the network's input, including the padding.
    images
        (K,) int64: position of each box's image in the batch.
    pairs
        (K,) int64, ascending from 0 without gaps: number of the (image, class) pair of each box. The vectors of boxes
        with the same number are averaged.
    """

    corners: npt.NDArray[np.float64]
    images: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]


def pool_boxes(feature_map: torch.Tensor, boxes: PlacedBoxes) -> npt.NDArray[np.float32]:
    """Average a feature map (b, c, h, w) inside each box, then over the boxes of each pair. Return (P, c) float32.

    The map covers the input evenly: cell i of w cells spans i/w to (i + 1)/w of the input's width. Between the centres
    of the cells, values are interpolated; beyond the outermost centres, they are constant. A few boxes are pooled at a
    time, so the memory does not grow with the number of boxes.
    """
    import torch
    from torchvision.ops import roi_align

    _, channels, height, width = feature_map.shape
    count = int(boxes.pairs[-1]) + 1 if len(boxes.pairs) else 0
    sums = np.zeros((count, channels))
    regions = torch.from_numpy(_regions(boxes, height, width)).to(feature_map.device)
    step = max(1, VALUES_AT_ONCE // (channels * BINS * BINS))
    with torch.inference_mode():
        # roi_align does not support bfloat16 on a CPU, and would copy a channels-last map at each call
        plain = feature_map.float().contiguous() if count else feature_map
        for start in range(0, len(regions), step):
            bins = roi_align(plain, regions[start : start + step], BINS, sampling_ratio=-1, aligned=True)
            # bins and boxes are added one by one, so that the sum does not depend on the number of boxes in a step
            values = (sum(bins.flatten(2).unbind(2)) / BINS**2).cpu().numpy()
            for pair, value in zip(boxes.pairs[start : start + step], values, strict=True):
                sums[pair] += value
    return (sums / np.bincount(boxes.pairs, minlength=count)[:, None]).astype(np.float32)


def _regions(boxes: PlacedBoxes, height: int, width: int) -> npt.NDArray[np.float32]:
    """Return the (K, 5) argument of roi_align: the position in the batch, then the corners in cells of the map."""
    corners = boxes.corners * np.array([width, height, width, height])
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    half = np.maximum(corners[:, 2:] - corners[:, :2], LEAST_SIDE) / 2
    return np.column_stack([boxes.images, centre - half, centre + half]).astype(np.float32)
