"""Give images of other formats names that ultralytics accepts.

Ultralytics skips hidden files and files without the suffix of an image.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.yolo.mirror import label_place
from detreduce.dataset.records import IMAGE_SUFFIXES, ImageRecord
from detreduce.dataset.writing.distinct_paths import distinct_paths
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.numbers import counted
from detreduce.machine.untrusted.image_files import opened_image

_SUFFIX_OF = {
    "AVIF": ".avif",
    "BMP": ".bmp",
    "DIB": ".bmp",
    "HEIF": ".heic",
    "JPEG": ".jpg",
    "JPEG2000": ".jp2",
    "MPO": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
}
"""The suffix of the files in each format that ultralytics can read. The formats have Pillow's names."""


def findable_records(split: str, records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
    """Return the records of images that ultralytics can read. Warn about the other images, for example GIF files."""
    kept = tuple(record for record in records if missing_suffix(record) is not None)
    if count := len(records) - len(kept):
        first = next(record for record in records if missing_suffix(record) is None)
        warn_about_subset(
            f"{counted(count, f'image of the {split} split was', f'images of the {split} split were')} left "
            "out, because ultralytics cannot read their format "
            f"(the first: {first.path}). Convert them to PNG or JPEG."
        )
    return kept


def assign_places(split: str, records: Sequence[ImageRecord]) -> list[PurePosixPath]:
    """Return the path in the output of each image in the result of `findable_records`, below ``images/<split>``.

    Ultralytics skips hidden files and folders, so a dot at the beginning of a name is replaced by ``_``. If a name does
    not have the suffix of an image, a suffix is added. If images would share a label file (for example a.jpg and
    a.png), a number is added.
    """
    return distinct_paths((_visible_place(split, record) for record in records), key=label_place)


def _visible_place(split: str, record: ImageRecord) -> PurePosixPath:
    """Return the path of an image without leading dots and with the suffix of an image."""
    parts = ["_" + part.lstrip(".") if part.startswith(".") else part for part in record.name.split("/")]
    return PurePosixPath("images", split, "/".join(parts) + (missing_suffix(record) or ""))


def count_renamed(split: str, records: Sequence[ImageRecord], places: Sequence[PurePosixPath]) -> int:
    """Return how many images get another name."""
    folder = PurePosixPath("images", split)
    return sum(place != folder / record.name for record, place in zip(records, places, strict=True))


def missing_suffix(record: ImageRecord) -> str | None:
    """Return the suffix to add to the name of an image, or None if ultralytics cannot read the image.

    If the name already has the suffix of an image, return an empty string.
    """
    if os.path.splitext(record.name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122 (100,000 calls)
        return ""
    return _suffix_of_content(record.path)


def _suffix_of_content(path: Path) -> str | None:
    """Return the suffix for the format of an image, or None if ultralytics cannot read this format."""
    try:
        with opened_image(path) as image:
            return _SUFFIX_OF.get(image.format or "")
    except OSError:
        return None
