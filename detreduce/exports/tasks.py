"""Write labelling tasks for Label Studio, CVAT, LabelMe and Roboflow: the kept images in the order chosen.

Predicted boxes are written only if the caller passes predictions. They are marked as predictions, in the form that each
tool imports.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from detreduce.arrays.predictions import PredictedBoxes, Predictions
from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord
from detreduce.dataset.writing.distinct_paths import distinct_paths
from detreduce.exports.rows import ImageRow
from detreduce.machine.json_values import json_text

TASK_FORMS = ("label-studio", "cvat", "labelme", "roboflow")
IMAGES = PurePosixPath("images")
_DIGITS = 6
Files = dict[PurePosixPath, bytes]


def in_rank_order(rows: Sequence[ImageRow]) -> list[ImageRow]:
    """Return the kept images in the order chosen."""
    return sorted((row for row in rows if row.rank is not None), key=lambda row: row.rank or 0)


def flat(places: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Return paths without folders, because Roboflow ignores folders. For example, ``a/1.jpg`` becomes ``a_1.jpg``.

    A number is added to a name that is already in use.
    """
    return distinct_paths(PurePosixPath("_".join(place.parts)) for place in places)


def with_own_stems(places: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Return paths that differ without their suffixes too, because LabelMe writes ``a.json`` for a.jpg and for a.png.

    The first image of each stem keeps its name. A number is added to the others, for example ``a-2.png``.
    """
    stems = {place.with_suffix("") for place in places}
    used: set[PurePosixPath] = set()
    found = []
    for place in places:
        own, count = place, 1
        while own.with_suffix("") in used or (count > 1 and own.with_suffix("") in stems):
            count += 1
            own = place.with_stem(f"{place.stem}-{count}")
        used.add(own.with_suffix(""))
        found.append(own)
    return found


def task_files(
    form: str, rows: Sequence[ImageRow], places: Sequence[PurePosixPath], folder: str, guesses: Guesses | None
) -> Files:
    """Return the files of the tasks, without the images, as path in the folder -> content.

    `places` has the path of each image, relative to the folder ``images``. `folder` is the name of the exported folder.
    """
    if form == "label-studio":
        return _label_studio(rows, places, folder, guesses)
    if form == "cvat":
        return _cvat(rows, places, guesses)
    if form == "labelme":
        return _labelme(rows, places, guesses)
    return _roboflow(rows, places, guesses)


class Guesses:
    """The predicted boxes of images by id, and the sizes of the images in pixels."""

    def __init__(self, dataset: DetectionDataset, predictions: Predictions) -> None:
        self.class_names, self.model = predictions.class_names, predictions.model
        self._of = dict(zip(dataset.image_ids, predictions.images, strict=True))

    def of(self, image: ImageId) -> PredictedBoxes | None:
        """Return the predicted boxes of an image, or None if the image could not be read."""
        return self._of.get(image)

    def named(self, record: ImageRecord) -> list[tuple[str, list[float], float]]:
        """Return the class name, the corners as fractions within the image, and the confidence of each box."""
        boxes = self.of(record.id)
        if boxes is None:
            return []
        corners = np.clip(boxes.corners, 0, 1).tolist()
        names = [self.class_names[number] for number in boxes.classes.tolist()]
        return list(zip(names, corners, boxes.confidences.tolist(), strict=True))


def _label_studio(
    rows: Sequence[ImageRow], places: Sequence[PurePosixPath], folder: str, guesses: Guesses | None
) -> Files:
    """Return ``tasks.json``. If there are predictions, also return ``label-config.xml``."""
    tasks = []
    for row, place in zip(rows, places, strict=True):
        url = f"/data/local-files/?d={quote(os.fsencode(f'{folder}/{IMAGES / place}'))}"
        task: dict[str, Any] = {"data": {"image": url, "name": row.record.name, "rank": row.rank}}
        if guesses is not None:
            task["predictions"] = [_label_studio_prediction(row.record, guesses)]
        tasks.append(task)
    files = {PurePosixPath("tasks.json"): json_text(tasks).encode()}
    if guesses is not None:
        labels = "\n".join(f"    <Label value={quoteattr(name)}/>" for name in guesses.class_names)
        config = (
            '<View>\n  <Image name="image" value="$image"/>\n  <RectangleLabels name="label" toName="image">\n'
            f"{labels}\n  </RectangleLabels>\n</View>\n"
        )
        files[PurePosixPath("label-config.xml")] = config.encode()
    return files


def _label_studio_prediction(record: ImageRecord, guesses: Guesses) -> dict[str, Any]:
    """Return the predicted boxes of an image as Label Studio imports them, with their confidences."""
    width, height = record.size
    results = [
        {
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "score": round(confidence, _DIGITS),
            "value": {
                "x": round(100 * x1, _DIGITS),
                "y": round(100 * y1, _DIGITS),
                "width": round(100 * (x2 - x1), _DIGITS),
                "height": round(100 * (y2 - y1), _DIGITS),
                "rotation": 0,
                "rectanglelabels": [name],
            },
        }
        for name, (x1, y1, x2, y2), confidence in guesses.named(record)
    ]
    scores = [confidence for _, _, confidence in guesses.named(record)]
    score = round(float(np.mean(scores)), _DIGITS) if scores else 0.0
    return {"model_version": guesses.model, "score": score, "result": results}


def _cvat(rows: Sequence[ImageRow], places: Sequence[PurePosixPath], guesses: Guesses | None) -> Files:
    """Return ``files.txt``. If there are predictions, also return ``annotations.xml`` ("CVAT for images 1.1")."""
    files = {PurePosixPath("files.txt"): "".join(f"{place}\n" for place in places).encode("utf-8", "surrogateescape")}
    if guesses is None:
        return files
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    for number, (row, place) in enumerate(zip(rows, places, strict=True)):
        width, height = row.record.size
        lines.append(f'  <image id="{number}" name={quoteattr(str(place))} width="{width}" height="{height}">')
        for name, (x1, y1, x2, y2), _ in guesses.named(row.record):
            corners = f'xtl="{x1 * width:.2f}" ytl="{y1 * height:.2f}" xbr="{x2 * width:.2f}" ybr="{y2 * height:.2f}"'
            lines.append(f'    <box label={quoteattr(name)} source="auto" occluded="0" {corners} z_order="0"/>')
        lines.append("  </image>")
    text = "\n".join([*lines, "</annotations>", ""])
    files[PurePosixPath("annotations.xml")] = text.encode("utf-8", "backslashreplace")
    return files


def _roboflow(rows: Sequence[ImageRow], places: Sequence[PurePosixPath], guesses: Guesses | None) -> Files:
    """Return a COCO JSON with the predicted boxes next to the images. If there are no predictions, return no files.

    Roboflow imports these boxes as annotations. The JSON says that they are predictions, and has their confidences, but
    Roboflow shows neither.
    """
    if guesses is None:
        return {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    number_of = {name: number for number, name in reversed(list(enumerate(guesses.class_names)))}
    for number, (row, place) in enumerate(zip(rows, places, strict=True)):
        width, height = row.record.size
        images.append({"id": number, "file_name": str(place), "width": width, "height": height})
        for name, (x1, y1, x2, y2), confidence in guesses.named(row.record):
            sides = (x2 - x1) * width, (y2 - y1) * height
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": number_of[name],
                    "bbox": [round(value, 2) for value in (x1 * width, y1 * height, *sides)],
                    "area": round(sides[0] * sides[1], 2),
                    "iscrowd": 0,
                    "score": round(confidence, _DIGITS),
                }
            )
    content = {
        "info": {"description": f"Predictions of {guesses.model}, not labels: review each image"},
        "categories": [{"id": number, "name": name} for name, number in number_of.items()],
        "images": images,
        "annotations": annotations,
    }
    return {IMAGES / "_annotations.coco.json": json_text(content).encode()}


def _labelme(rows: Sequence[ImageRow], places: Sequence[PurePosixPath], guesses: Guesses | None) -> Files:
    """Return one JSON with predicted boxes for each image. If there are no predictions, return no files."""
    files: Files = {}
    for row, place in zip(rows, places, strict=True) if guesses is not None else ():
        assert guesses is not None
        width, height = row.record.size
        shapes = [
            {
                "label": name,
                "points": [
                    [round(x1 * width, 2), round(y1 * height, 2)],
                    [round(x2 * width, 2), round(y2 * height, 2)],
                ],
                "group_id": None,
                "description": f"prediction, confidence {confidence:.3f}",
                "shape_type": "rectangle",
                "flags": {"prediction": True},
            }
            for name, (x1, y1, x2, y2), confidence in guesses.named(row.record)
        ]
        content: Mapping[str, Any] = {
            "version": "5.5.0",
            "flags": {"prediction": True},
            "shapes": shapes,
            "imagePath": place.name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        files[(IMAGES / place).with_suffix(".json")] = json.dumps(content, indent=1).encode()
    return files
