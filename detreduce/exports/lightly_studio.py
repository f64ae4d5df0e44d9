"""Write a folder that LightlyStudio can import: a COCO JSON, and image folders whose names become tags.

``ImageDataset.add_samples_from_coco(..., tag_depth=1)`` tags each image with the name of its folder: ``kept`` or
``dropped`` (lightly-studio 1.2). LightlyStudio's COCO import ignores all other fields. Therefore, scores and ranks are
written to a CSV file in the same folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from detreduce.dataset.records import DetectionDataset
from detreduce.exports.coco import coco_content, compact_json
from detreduce.exports.rows import ImageRow

IMAGES = PurePosixPath("images")
ANNOTATIONS = PurePosixPath("annotations.json")


def by_tag(rows: Sequence[ImageRow], places: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Return the path of each image, relative to the images folder.

    Its first part is the tag, ``kept`` or ``dropped``.
    """
    return [PurePosixPath("kept" if row.kept else "dropped") / place for row, place in zip(rows, places, strict=True)]


def lightly_files(dataset: DetectionDataset, places: Sequence[PurePosixPath]) -> dict[PurePosixPath, bytes]:
    """Return the name and content of the file annotations.json.

    `places` contains the path of each image, relative to the images folder.
    """
    return {ANNOTATIONS: compact_json(coco_content(dataset, [str(place) for place in places]))}
