"""Add the crowd regions of the original dataset to the ground truth, because YOLO labels cannot contain them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detreduce.dataset.joined_classes import join_classes
from detreduce.dataset.records import DetectionDataset, ImageRecord


def with_crowds(
    view: DetectionDataset,
    split: str,
    train: DetectionDataset,
    others: Mapping[str, DetectionDataset],
    originals: Mapping[str, Path],
) -> DetectionDataset:
    """Return a split of the YOLO view with the crowd regions of the original dataset added to its boxes.

    The YOLO view is the copy of the dataset in the run folder. It contains links to the images, and its YOLO labels
    cannot contain crowd regions. Boxes that are not crowd regions do not change.

    Parameters
    ----------
    view
        The split of the YOLO view to which crowd regions are added.
    split
        The name of this split.
    train
        The train split of the original dataset. The order of the classes in the view depends on all splits.
    others
        The other splits of the original dataset, by name.
    originals
        Path of a link in the view -> path of the original image. An image that was copied instead of linked is found by
        its name.
    """
    source = others[split]
    if not source.box_crowd.any():
        return view
    number = np.array(join_classes({"train": train, **others}).numbers[split], np.int64)
    corners = source.boxes_xyxyn
    starts = np.searchsorted(source.box_rows, np.arange(len(source) + 1))
    crowds: dict[Path, list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]] = {}
    for row, record in enumerate(source):
        inside = np.arange(starts[row], starts[row + 1])[record.crowd]
        if len(inside):
            found = corners[inside], number[source.box_classes[inside]]
            crowds.setdefault(record.path.resolve(), []).append(found)
    by_name = {record.name: record.path.resolve() for record in source}
    records = []
    for record in view:
        original = originals.get(str(record.path)) or by_name.get(record.name)
        joined = record
        for boxes, classes in crowds.get(original, ()) if original else ():
            joined = _joined(joined, boxes, classes)
        records.append(joined)
    return replace(view, records=tuple(records))


def _joined(record: ImageRecord, corners: npt.NDArray[np.float64], classes: npt.NDArray[np.int64]) -> ImageRecord:
    centred = np.hstack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])
    return replace(
        record,
        boxes=np.vstack([record.boxes, centred]),
        class_ids=np.concatenate([record.class_ids, classes]),
        crowd=np.concatenate([record.crowd, np.ones(len(classes), bool)]),
    )
