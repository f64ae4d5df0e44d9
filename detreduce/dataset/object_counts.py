"""Count a dataset's boxes per image and class. No image is opened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.box_sizes import LARGE_SHARE, SIZES, SMALL_SHARE
from detreduce.dataset.records import DetectionDataset


def label_objects(dataset: DetectionDataset) -> ObjectTable:
    """Return a table with the number of boxes per image, class and size class, without feature vectors.

    Boxes below 1/300 of the image area are small, and boxes of 3/100 or more are large. These bounds are COCO's 32 x 32
    and 96 x 96 pixels in an image of 640 x 480. Only the part of a box inside its image counts. The size class is
    ``unknown`` if boxes are in pixels and no annotation file gives the image's size. Crowd regions are not counted.
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
    """Return (B,) indices into `SIZES`, one per box, including crowd regions.

    Areas are not rounded here, because rounding could change the size class of a box near a bound.
    """
    low, high = _find_corners(dataset)
    area = np.prod(np.maximum(np.clip(high, 0.0, 1.0) - np.clip(low, 0.0, 1.0), 0.0), axis=1)
    known = np.isfinite(area)
    return np.where(known, np.digitize(np.where(known, area, 0.0), [SMALL_SHARE, LARGE_SHARE]), len(SIZES) - 1)


def _find_corners(dataset: DetectionDataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the (B, 2) low corners and the (B, 2) high corners of all boxes, as fractions of the image.

    Corners are NaN if boxes are in pixels and no annotation file gives the image's size.
    """
    boxes = np.concatenate([record.boxes for record in dataset]) if len(dataset) else np.empty((0, 4))
    first, second = boxes[:, :2], boxes[:, 2:]
    if dataset.box_format == "cxcywhn":
        return first - second / 2, first + second / 2
    sizes = [(record.width or np.nan, record.height or np.nan) for record in dataset]
    size = np.array(sizes, np.float64).reshape(-1, 2)[dataset.box_rows]
    high = first + second if dataset.box_format == "xywh" else second
    return first / size, high / size
