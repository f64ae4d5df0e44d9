"""The ground-truth boxes for an evaluation, taken from datasets as detreduce reads them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.training.evaluation.coco_figures import Boxes, boxes_of


def truth_of(
    datasets: Sequence[DetectionDataset], files: Collection[str] | None = None, *, single_class: bool = False
) -> tuple[Boxes, dict[str, int]]:
    """Return the ground-truth boxes of several splits in pixels, and the row of each image.

    The second result is a dict from the `file_key` of an image to its row. If `files` is given, only images whose
    `file_key` is in `files` are used. Images of unknown size are skipped. If `single_class` is True, all boxes get the
    class 0.
    """
    rows: dict[str, int] = {}
    image, xyxy, class_id, crowd = [], [], [], []
    for dataset in datasets:
        for record in dataset.records:
            if files is not None and file_key(record.path) not in files:
                continue
            try:
                width, height = record.size
            except OSError:
                continue
            row = rows.setdefault(file_key(record.path), len(rows))
            image.append(np.full(len(record.class_ids), row))
            xyxy.append(_pixels(record.boxes, dataset.box_format, width, height))
            class_id.append(np.zeros_like(record.class_ids) if single_class else record.class_ids)
            crowd.append(record.crowd)
    if not rows:
        return boxes_of([], np.empty((0, 4)), []), rows
    return boxes_of(
        np.concatenate(image), np.concatenate(xyxy), np.concatenate(class_id), crowd=np.concatenate(crowd)
    ), rows


def _pixels(boxes: npt.NDArray[np.float64], box_format: str, width: int, height: int) -> npt.NDArray[np.float64]:
    """Convert boxes from any box format to corners in pixels."""
    if box_format == "cxcywhn":
        half = boxes[:, 2:] / 2
        return np.hstack([boxes[:, :2] - half, boxes[:, :2] + half]) * [width, height, width, height]
    if box_format == "xywh":
        return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    return boxes


def file_key(path: str | Path) -> str:
    """Return the path of an image file as a string that identifies the file.

    If a folder in the path is a symbolic link, it is replaced by its target. If the file itself is a symbolic link, the
    name of the link stays.
    """
    path = Path(path)
    return str(path.parent.resolve() / path.name)
