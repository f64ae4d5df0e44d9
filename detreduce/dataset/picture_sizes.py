"""Compare image sizes in annotation files with the image files, before boxes in pixels are converted to fractions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset, ImageRecord, read_image_size
from detreduce.display.numbers import counted
from detreduce.machine.processors import processors

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SizeConflicts:
    """Images whose size differs from the size in their annotation file.

    Attributes
    ----------
    corrected
        The images for which the size of the image file is used. These records still have the size from the annotation
        file.
    resized
        The images for which the size from the annotation file is used. These images were made smaller after they were
        annotated.
    sizes
        Two examples for messages: the size (width, height) of the first image file in `corrected`, and of the first one
        in `resized`. None if there is no such image.
    """

    corrected: tuple[ImageRecord, ...]
    resized: tuple[ImageRecord, ...]
    sizes: tuple[tuple[int, int] | None, tuple[int, int] | None]

    def notices(self, command: str) -> list[str]:
        """Return one sentence about each kind of conflict. `command` is the command that lists all conflicts."""
        texts = []
        for records, size, done in (
            (self.corrected, self.sizes[0], "The boxes were converted with the size of the image file"),
            (
                self.resized,
                self.sizes[1],
                "The image files seem to be smaller copies, because boxes reach past them. So the boxes were converted "
                "with the size in the annotations",
            ),
        ):
            if records and size is not None:
                first = records[0]
                texts.append(
                    f"{counted(len(records), 'image has', 'images have')} another size than the "
                    f"annotations say ({first.path}: {size[0]} x "
                    f"{size[1]} pixels, but the annotations say {first.width} x {first.height}). {done}. "
                    f"List them: {command} --check-images"
                )
        return texts


def with_picture_sizes(dataset: DetectionDataset) -> tuple[DetectionDataset, SizeConflicts]:
    """Return the dataset with the sizes of its image files, and the images whose annotation file gives another size.

    If boxes are in pixels, the header of every image with boxes is read, including its EXIF rotation. Boxes in pixels
    refer to the image as programs show it, so the size of the image file is used. pycocotools and torchvision also
    ignore the size in the annotation file.

    There is one exception: images that were made smaller after they were annotated, with the same proportions. Such an
    image is recognised by a box that extends beyond the image file, but not beyond the size in the annotation file. If
    a split contains such a box, the sizes in the annotation file are used for all smaller images.

    An image that cannot be read keeps the size in the annotation file.
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
    """Return the size of an image file, or None if the image has no boxes to convert or cannot be read."""
    if not len(record.class_ids):
        return None
    try:
        return read_image_size(record.path)
    except OSError:
        return None


def _is_smaller_copy(given: Sequence[int], seen: Sequence[int] | None) -> bool:
    """Return whether an image of size `seen` may be a smaller copy of an image of size `given`."""
    if seen is None or seen[0] >= given[0] or seen[1] >= given[1]:
        return False
    # allow for the rounding of each side to whole pixels
    return abs(seen[0] * given[1] - seen[1] * given[0]) <= max(given)


def _reaches_past(
    dataset: DetectionDataset, record: ImageRecord, given: Sequence[int], seen: Sequence[int] | None
) -> bool:
    """Return whether the boxes do not fit into an image of size `seen`, but fit into an image of size `given`.

    `seen` is the size of the image file, and `given` is the size in the annotation file. One pixel is tolerated.
    """
    ends = record.boxes[:, :2] + record.boxes[:, 2:] if dataset.box_format == "xywh" else record.boxes[:, 2:]
    furthest: Floats = ends.max(axis=0)
    past = bool((furthest > np.array(seen, np.float64) + 1).any())
    return past and bool((furthest <= np.array(given, np.float64) + 1).all())
