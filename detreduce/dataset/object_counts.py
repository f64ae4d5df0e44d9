"""Count the boxes of a dataset by image and class, without opening images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.box_sizes import LARGE_SHARE, SIZES, SMALL_SHARE
from detreduce.dataset.records import DetectionDataset


def label_objects(dataset: DetectionDataset) -> ObjectTable:
    """Return a table with the number of boxes for each image, class and size class, but without feature vectors.

    A box is small below 1/300 of the image area, and large from 3/100 on. These bounds correspond to COCO's 32 x 32 and
    96 x 96 pixels in an image of 640 x 480. Only the part of a box inside its image counts. The size class is
    ``unknown`` if boxes are in pixels and no annotation file gives the size of the image. Crowd regions are not
    counted.
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
    """Return the size class of every box, including crowd regions, as (B,) indices into `SIZES`.

    Areas are not rounded here, because rounding could change the size class of a box near a bound.
    """
    low, high = _find_corners(dataset)
    area = np.prod(np.maximum(np.clip(high, 0.0, 1.0) - np.clip(low, 0.0, 1.0), 0.0), axis=1)
    known = np.isfinite(area)
    return np.where(known, np.digitize(np.where(known, area, 0.0), [SMALL_SHARE, LARGE_SHARE]), len(SIZES) - 1)


def _find_corners(dataset: DetectionDataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the low and the high corners of all boxes, each (B, 2), as fractions of the image.

    A corner is NaN if boxes are in pixels and no annotation file gives the size of the image.
    """
    boxes = np.concatenate([record.boxes for record in dataset]) if len(dataset) else np.empty((0, 4))
    first, second = boxes[:, :2], boxes[:, 2:]
    if dataset.box_format == "cxcywhn":
        return first - second / 2, first + second / 2
    sizes = [(record.width or np.nan, record.height or np.nan) for record in dataset]
    size = np.array(sizes, np.float64).reshape(-1, 2)[dataset.box_rows]
    high = first + second if dataset.box_format == "xywh" else second
    return first / size, high / size
