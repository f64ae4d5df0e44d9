"""Small pictures of images with their boxes. The page stores each picture once, even if several places show it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from detreduce.arrays.class_counts import entries_of_image
from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.dataset.views.thumbnails import BOXES_DRAWN, as_jpeg, small_image
from detreduce.display.progress import progress

SIDE = 176
"""Length of a picture's longer side in pixels."""
CAPACITY = 3_800_000
"""Largest number of characters of all pictures in a page. With boxes, maps and charts, a page is smaller than 10 MB."""
MOST_BOXES = 30_000
"""Largest number of boxes drawn on the pictures of a page; each box takes about 30 characters."""
CLASSES_NAMED = 8
"""Largest number of classes named for an image. All other classes are counted together."""

Box = tuple[float, float, float, float, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of one image in the page.

    Attributes
    ----------
    name
        The name of the image.
    classes
        The classes in the image with their number of boxes, most common class first. If there are many classes, the
        rarest classes are counted together.
    boxes
        The boxes as (left, top, width, height, class); positions and sizes are fractions of the image. There are at
        most `BOXES_DRAWN` boxes. Empty if the page already shows the largest number of boxes.
    width, height
        Size in pixels of the picture, or of the placeholder if there is no picture.
    data
        The picture as a data URI; None if the image could not be read or if the page is full.
    unreadable
        Whether the image has labels, but none that can be read.
    """

    name: str
    classes: tuple[tuple[str, int], ...]
    boxes: tuple[Box, ...]
    width: int = SIDE
    height: int = SIDE * 3 // 4
    data: str | None = None
    unreadable: bool = False

    @property
    def content(self) -> tuple[tuple[str, int], ...] | str:
        """The classes with their number of boxes, or the reason why there are none."""
        return self.classes or ("labels cannot be read" if self.unreadable else "no boxes")


class Album:
    """The pictures of one dataset split that a page shows.

    Parameters
    ----------
    dataset
        The dataset split.
    prefix
        Prefix of the id of each picture in the page. The id is this prefix and the dataset row.
    capacity
        Largest number of characters of all pictures together. With 0, only names and boxes are shown.
    boxes
        Largest number of boxes to draw.

    Attributes
    ----------
    pictures
        Dataset row -> picture.
    cut
        Number of pictures whose image or boxes are left out, because the page is full.
    """

    def __init__(
        self, dataset: DetectionDataset, prefix: str = "t", capacity: int = CAPACITY, boxes: int = MOST_BOXES
    ) -> None:
        self.dataset = dataset
        self.prefix = prefix
        self.left, self.boxes_left = capacity, boxes
        self.cut = 0
        self._pictured = capacity > 0
        self.pictures: dict[int, Picture] = {}
        starts = np.searchsorted(dataset.box_rows, np.arange(len(dataset) + 1))
        self._boxes_of = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))

    def add(self, rows: Iterable[int]) -> None:
        """Add the images of some dataset rows. When the capacity is used up, images are added without a picture."""
        wanted = [row for row in dict.fromkeys(rows) if row not in self.pictures]
        read = wanted if self.left > 0 else []
        with ThreadPoolExecutor() as pool, progress("pictures", len(read), "images") as advance:
            for row, small in zip(read, pool.map(_small, (self.dataset[row] for row in read)), strict=True):
                self.pictures[row] = self._picture(row, small)
                advance()
        for row in wanted[len(read) :]:
            self.pictures[row] = self._picture(row, None)

    def _picture(self, row: int, small: tuple[str, int, int] | None) -> Picture:
        """Return the picture of a row, and reduce the remaining capacity; `small` is the result of `_small`."""
        name, classes, boxes = self.dataset[row].name, self._classes(row), self._boxes(row)
        full = self._pictured and self.left <= 0, len(boxes) > self.boxes_left
        self.cut += any(full)
        boxes = () if full[1] else boxes
        self.boxes_left -= len(boxes)
        unreadable = self.dataset[row].unreadable
        if small is None or full[0]:
            return Picture(name, classes, boxes, unreadable=unreadable)
        data, width, height = small
        self.left -= len(data)
        return Picture(name, classes, boxes, width, height, data, unreadable)

    def _classes(self, row: int) -> tuple[tuple[str, int], ...]:
        """Return the classes in the image of a row, with their number of boxes."""
        classes, boxes = (part.tolist() for part in entries_of_image(self.dataset.sparse_class_counts, row))
        pairs = zip(classes[:CLASSES_NAMED], boxes, strict=False)
        named = [(self.dataset.class_labels[place], count) for place, count in pairs]
        others = sum(boxes[CLASSES_NAMED:])
        return (*named, *([("other classes", others)] if others else []))

    def _boxes(self, row: int) -> tuple[Box, ...]:
        """Return the boxes of a row, largest first."""
        begin, end = self._boxes_of[row]
        corners = self.dataset.boxes_xyxyn[begin:end]
        known = np.isfinite(corners).all(axis=1)
        corners, classes = np.clip(corners[known], 0, 1), self.dataset.box_classes[begin:end][known]
        found = np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).round(4)
        # draw small boxes last, so that large boxes do not hide small boxes
        order = np.argsort(-found[:, 2:].prod(axis=1), kind="stable")[:BOXES_DRAWN]
        return tuple((*found[place].tolist(), int(classes[place])) for place in order.tolist())


def _small(record: ImageRecord) -> tuple[str, int, int] | None:
    """Return a small JPEG as a data URI, and its width and height in pixels; None if the image cannot be read."""
    small = small_image(record.path, SIDE)
    if small is None:
        return None
    data = base64.b64encode(as_jpeg(small)).decode()
    return f"data:image/jpeg;base64,{data}", small.width, small.height
