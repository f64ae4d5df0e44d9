"""Write a folder that FiftyOne can import as a ``FiftyOneDataset``.

FiftyOne has two versions of this JSON format. The newer version is a dump of FiftyOne's database, which only FiftyOne
can write. Therefore this module writes the older version. FiftyOne reads the older version if metadata.json does not
contain a version number (see ``LegacyFiftyOneDatasetImporter`` in fiftyone/utils/data/importers.py, 1.22).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from detreduce.dataset.records import DetectionDataset
from detreduce.errors import ImageReadError
from detreduce.exports.coco import compact_json
from detreduce.exports.rows import ImageRow, boxes_by_row
from detreduce.machine.json_values import json_value
from detreduce.selection.record import Selection

DATA = PurePosixPath("data")
METADATA, SAMPLES = PurePosixPath("metadata.json"), PurePosixPath("samples.json")


def fiftyone_files(
    dataset: DetectionDataset, selection: Selection, rows: Sequence[ImageRow], places: Sequence[PurePosixPath]
) -> dict[PurePosixPath, bytes]:
    """Return the names and contents of the files metadata.json and samples.json.

    `places` contains the path of each image, relative to the exported folder.
    """
    info = {
        "method": selection.method,
        "parameters": dict(selection.parameters),
        "keep": selection.keep,
        "seed": selection.seed,
        "dataset": dict(selection.provenance.get("dataset", {})),
    }
    metadata = {
        "media_type": "image",
        "info": {"default_classes": list(dataset.class_names), "detreduce": info},
    }
    boxes = boxes_by_row(dataset)
    samples = [_sample(row, place, dataset, *found) for row, place, found in zip(rows, places, boxes, strict=True)]
    return {METADATA: compact_json(metadata), SAMPLES: compact_json({"samples": samples})}


def _sample(
    row: ImageRow, place: PurePosixPath, dataset: DetectionDataset, corners: Any, classes: Any, crowd: Any
) -> dict[str, Any]:
    """Return one FiftyOne sample.

    Unknown values are left out, because FiftyOne infers a field's type from its first value.
    """
    fields = {"rank": row.rank, "score": json_value(row.score, infinities=False), "category": row.category}
    sample: dict[str, Any] = {
        "filepath": str(place),
        "tags": ["kept" if row.kept else "dropped", dataset.split],
        "metadata": None,
        "image_id": str(row.record.id),
        "kept": row.kept,
        **{name: value for name, value in fields.items() if value is not None},
    }
    if dataset.labelled:
        if np.isnan(corners).any():
            raise ImageReadError(
                f"{row.record.path}: FiftyOne needs boxes as fractions of the image, but the size of the image cannot "
                "be read."
            )
        rows = zip(corners.tolist(), classes.tolist(), crowd.tolist(), strict=True)
        sample["ground_truth"] = {
            "_cls": "Detections",
            "detections": [_detection(box, dataset.class_names[key], is_crowd) for box, key, is_crowd in rows],
        }
    return sample


def _detection(box: Sequence[float], label: str, crowd: bool) -> dict[str, Any]:
    x1, y1, x2, y2 = box
    found = {"_cls": "Detection", "label": label, "bounding_box": [x1, y1, x2 - x1, y2 - y1], "tags": []}
    return {**found, "iscrowd": True} if crowd else found
