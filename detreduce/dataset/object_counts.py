"""The (image, class) table of a dataset's boxes, from its labels alone; no image is opened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.box_sizes import LARGE_SHARE, SIZES, SMALL_SHARE
from detreduce.dataset.records import DetectionDataset


def label_objects(dataset: DetectionDataset) -> ObjectTable:
    """Count the boxes of each class in each image, and how many are small, medium and large; vectors are None.

    A box is small below 1/300 of its image's area, large from 3/100 on: COCO's 32 and 96 pixels squared in an image of
    640 x 480. The part outside the image does not count. Where boxes are in pixels and no annotation gives the
    image's size, their size class is ``unknown``. Crowd regions are not counted.
    """
    use = ~dataset.box_crowd
    return ObjectTable.from_boxes(
        dataset.box_rows[use],
        dataset.box_classes[use],
        len(dataset),
        len(dataset.class_names),
        box_sizes=_classify_sizes(dataset)[use],
        n_sizes=len(SIZES),
    )


def _classify_sizes(dataset: DetectionDataset) -> npt.NDArray[np.int64]:
    """Return (B,) places in `SIZES`, crowd regions included.

    Areas are not rounded as in `box_sizes`: a box just at a bound would change its class, and with it what is chosen.
    """
    low, high = _find_corners(dataset)
    area = np.prod(np.maximum(np.clip(high, 0.0, 1.0) - np.clip(low, 0.0, 1.0), 0.0), axis=1)
    known = np.isfinite(area)
    return np.where(known, np.digitize(np.where(known, area, 0.0), [SMALL_SHARE, LARGE_SHARE]), len(SIZES) - 1)


def _find_corners(dataset: DetectionDataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return (B, 2) low and high corners as fractions of the image; NaN where its size is not in the annotations."""
    boxes = np.concatenate([record.boxes for record in dataset]) if len(dataset) else np.empty((0, 4))
    first, second = boxes[:, :2], boxes[:, 2:]
    if dataset.box_format == "cxcywhn":
        return first - second / 2, first + second / 2
    sizes = [(record.width or np.nan, record.height or np.nan) for record in dataset]
    size = np.array(sizes, np.float64).reshape(-1, 2)[dataset.box_rows]
    high = first + second if dataset.box_format == "xywh" else second
    return first / size, high / size
