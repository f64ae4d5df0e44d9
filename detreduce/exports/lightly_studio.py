"""A folder that LightlyStudio imports: COCO beside the images, those in folders that become its tags.

``ImageDataset.add_samples_from_coco(..., tag_depth=1)`` tags every image by its folder (lightly-studio 1.2), which is
``kept`` or ``dropped`` here. Its COCO import reads no other fields, so scores and ranks are in the table beside.
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
    """The images' paths below the images folder, in the folder that is their tag."""
    return [PurePosixPath("kept" if row.kept else "dropped") / place for row, place in zip(rows, places, strict=True)]


def lightly_files(dataset: DetectionDataset, places: Sequence[PurePosixPath]) -> dict[PurePosixPath, bytes]:
    """annotations.json; `places` are the images' paths below the images folder."""
    return {ANNOTATIONS: compact_json(coco_content(dataset, [str(place) for place in places]))}
