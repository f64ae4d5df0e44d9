"""A folder that LightlyStudio imports: a COCO JSON, and the images in folders that become its tags.

``ImageDataset.add_samples_from_coco(..., tag_depth=1)`` tags every image by its folder (lightly-studio 1.2): ``kept``
or ``dropped``. Its COCO import reads no other fields, so scores and ranks are in a table in the same folder.
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
    """Return the images' paths below the images folder, each in the folder of its tag."""
    return [PurePosixPath("kept" if row.kept else "dropped") / place for row, place in zip(rows, places, strict=True)]


def lightly_files(dataset: DetectionDataset, places: Sequence[PurePosixPath]) -> dict[PurePosixPath, bytes]:
    """Return annotations.json; `places` are the images' paths below the images folder."""
    return {ANNOTATIONS: compact_json(coco_content(dataset, [str(place) for place in places]))}
