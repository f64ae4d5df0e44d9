"""Write the kept images as COCO JSON.

If the dataset is already in COCO format, the output is the original JSON without the dropped images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detreduce.dataset.formats.coco.write import filtered_json
from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.errors import ImageReadError
from detreduce.exports.rows import ImageRow, boxes_by_row
from detreduce.machine.json_values import json_text


def coco_pieces(dataset: DetectionDataset, rows: Sequence[ImageRow]) -> Iterator[bytes]:
    """Yield the COCO JSON of the kept images in pieces. File names in the JSON are relative to `image_folder`."""
    annotations = dataset.source.splits[dataset.split].annotations
    if dataset.source.format == "coco" and annotations is not None:
        yield from filtered_json(annotations, {row.record.id for row in rows if row.kept})
        return
    folder = image_folder(dataset)
    names = [Path(os.path.relpath(row.record.path, folder)).as_posix() if row.kept else None for row in rows]
    yield compact_json(coco_content(dataset, names))


def image_folder(dataset: DetectionDataset) -> Path:
    """Return the folder that the file names in the COCO JSON are relative to.

    For a COCO dataset, this is its image folder. For any other format, it is the common parent folder of all images.
    """
    if dataset.source.format == "coco":
        return dataset.source.splits[dataset.split].images[0]
    return Path(os.path.commonpath([record.path.parent for record in dataset]))


def coco_content(dataset: DetectionDataset, names: Sequence[str | None]) -> dict[str, Any]:
    """Return the content of a COCO JSON: images, annotations and categories. Ids start at 1, and boxes are in pixels.

    `names` contains a file name for each image of the dataset, or None for an image to leave out. Raise ImageReadError
    if the size of an image is not known and the image cannot be read.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    boxes = boxes_by_row(dataset)
    for number, (record, name, (corners, classes, crowd)) in enumerate(zip(dataset, names, boxes, strict=True), 1):
        if name is None:
            continue
        width, height = _size(record)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        found = zip(corners.tolist(), classes.tolist(), crowd.tolist(), strict=True)
        for (x1, y1, x2, y2), class_id, is_crowd in found:
            box = [x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": class_id + 1,
                    "bbox": [round(value, 6) for value in box],
                    "area": round(box[2] * box[3], 6),
                    "iscrowd": int(is_crowd),
                    "segmentation": [],
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(dataset.class_names, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def compact_json(content: Any) -> bytes:
    """Return the content as JSON text on a single line."""
    return json_text(content, indent=None).encode()


def _size(record: ImageRecord) -> tuple[int, int]:
    try:
        return record.size
    except OSError as error:
        raise ImageReadError(
            f"{record.path}: COCO needs the size of the image, but the file cannot be read ({error})."
        ) from None
