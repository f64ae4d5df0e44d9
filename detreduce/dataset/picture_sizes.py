"""Compare the image sizes in annotation files with the pictures, before boxes in pixels become fractions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset, ImageRecord, read_image_size
from detreduce.machine.processors import processors

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SizeConflicts:
    """Images whose size differs from the size in their annotation file.

    Attributes
    ----------
    corrected
        The records for which the picture's size is used, with the size of the annotation file.
    resized
        The records for which the size of the annotation file is used, because the picture was made smaller later.
    sizes
        (width, height) of the first picture of each kind, in pixels.
    """

    corrected: tuple[ImageRecord, ...]
    resized: tuple[ImageRecord, ...]
    sizes: tuple[tuple[int, int] | None, tuple[int, int] | None]

    def notices(self, command: str) -> list[str]:
        """Return a sentence about each kind of conflict. `command` lists all of them."""
        texts = []
        for records, size, done in (
            (self.corrected, self.sizes[0], "Their boxes were converted with the size of the picture"),
            (
                self.resized,
                self.sizes[1],
                "The pictures are smaller copies, because boxes reach past them, so the boxes were converted with the "
                "size in the annotations",
            ),
        ):
            if records and size is not None:
                first = records[0]
                texts.append(
                    f"{len(records)} images have another size than their annotations say ({first.path}: {size[0]} x "
                    f"{size[1]} pixels, but the annotations say {first.width} x {first.height}). {done}. "
                    f"List them: {command} --check-images"
                )
        return texts


def with_picture_sizes(dataset: DetectionDataset) -> tuple[DetectionDataset, SizeConflicts]:
    """Return the dataset with the sizes of its pictures, and the images whose annotation file says another size.

    The header of every image with boxes is read, with its EXIF rotation, if boxes are in pixels. Boxes in pixels belong
    to the picture as programs show it, so the picture's size counts, as for pycocotools and torchvision, which do not
    use the size in the annotation file either. There is one exception: pictures that were made smaller after they were
    annotated, with the same proportions. If any box of the split reaches past its smaller picture, but not past the
    size in the annotation file, then that size counts for all such pictures.

    A picture that cannot be read keeps the size in the annotation file.
    """
    if dataset.box_format == "cxcywhn":
        return dataset, SizeConflicts((), (), (None, None))
    given = [(record.width or 0, record.height or 0) for record in dataset]
    with ThreadPoolExecutor(processors()) as pool:
        seen = list(pool.map(_size_or_none, dataset.records))
    rows = [row for row, size in enumerate(seen) if size is not None and given[row][0] and size != given[row]]
    smaller = {row for row in rows if _is_smaller_copy(given[row], seen[row])}
    if not any(_reaches_past(dataset, dataset[row], given[row], seen[row]) for row in smaller):
        smaller = set()
    records = list(dataset.records)
    for row, size in enumerate(seen):
        if size is not None and row not in smaller and size != given[row]:
            records[row] = replace(records[row], width=size[0], height=size[1])
    corrected, resized = [row for row in rows if row not in smaller], sorted(smaller)
    conflicts = SizeConflicts(
        tuple(dataset[row] for row in corrected),
        tuple(dataset[row] for row in resized),
        (seen[corrected[0]] if corrected else None, seen[resized[0]] if resized else None),
    )
    return replace(dataset, records=tuple(records)), conflicts


def _size_or_none(record: ImageRecord) -> tuple[int, int] | None:
    """Return the size of a picture. Return None if there are no boxes to convert, or if the picture cannot be read."""
    if not len(record.class_ids):
        return None
    try:
        return read_image_size(record.path)
    except OSError:
        return None


def _is_smaller_copy(given: Sequence[int], seen: Sequence[int] | None) -> bool:
    """Return whether a picture of size `seen` may be a smaller copy of a picture of size `given`."""
    if seen is None or seen[0] >= given[0] or seen[1] >= given[1]:
        return False
    # each side was rounded to whole pixels
    return abs(seen[0] * given[1] - seen[1] * given[0]) <= max(given)


def _reaches_past(
    dataset: DetectionDataset, record: ImageRecord, given: Sequence[int], seen: Sequence[int] | None
) -> bool:
    """Return whether a box reaches more than a pixel past the picture, and all boxes stay inside the size `given`."""
    ends = record.boxes[:, :2] + record.boxes[:, 2:] if dataset.box_format == "xywh" else record.boxes[:, 2:]
    furthest: Floats = ends.max(axis=0)
    past = bool((furthest > np.array(seen, np.float64) + 1).any())
    return past and bool((furthest <= np.array(given, np.float64) + 1).all())
