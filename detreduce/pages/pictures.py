"""Small pictures of images with their boxes. A page stores each picture once, even if it is shown in several places."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import numpy as np

from detreduce.arrays.class_counts import entries_of_image
from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.dataset.views.thumbnails import BOXES_DRAWN, as_jpeg, small_image
from detreduce.display.progress import progress

SIDE = 176
"""The length of a picture's longer side, in pixels."""
CAPACITY = 3_800_000
"""The maximum number of characters of all pictures in a page.

Together with boxes, maps and charts, the page then stays below 10 MB.
"""
MOST_BOXES = 30_000
"""The maximum number of boxes that are drawn on the pictures of a page. Each box takes about 30 characters."""
CLASSES_NAMED = 8
"""The maximum number of classes that are named for an image. Boxes of all other classes are counted together."""

Box = tuple[float, float, float, float, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of one image on a page.

    Attributes
    ----------
    name
        The name of the image.
    classes
        The classes in the image with their numbers of boxes, most common class first. If there are many classes, the
        rarest ones are counted together.
    boxes
        The boxes as (left, top, width, height, class), in fractions of the image. There are at most `BOXES_DRAWN`
        boxes, and none if the page already has the maximum number of boxes.
    width, height
        The size in pixels of the picture, or of the placeholder if there is no picture.
    data
        The picture as a data URI. None if the image could not be read or the page is full.
    unreadable
        Whether the labels of the image cannot be read.
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
        """The classes with their numbers of boxes, or the reason why there are none."""
        return self.classes or ("labels cannot be read" if self.unreadable else "no boxes")


class Album:
    """The pictures of a dataset split that a page shows.

    Parameters
    ----------
    dataset
        The dataset split.
    prefix
        The beginning of each picture's id in the page. The row of the image follows.
    capacity
        The maximum number of characters of all pictures together. If it is 0, only names and boxes are shown.
    boxes
        The maximum number of boxes to draw.

    Attributes
    ----------
    pictures
        The picture of each image, keyed by the row of the image in the dataset.
    cut
        The number of images that the page shows without a picture or without boxes, because the page was full.
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
        """Add the images in some rows of the dataset.

        Once the capacity is used up, images are added without a picture.
        """
        wanted = [row for row in dict.fromkeys(rows) if row not in self.pictures]
        read = wanted if self.left > 0 else []
        frames = sorted((row for row in read if self.dataset[row].frame is not None), key=self._time)
        files = [row for row in read if self.dataset[row].frame is None]
        with ThreadPoolExecutor() as pool, progress("pictures", len(read), "images") as advance:
            # frames one after the other, because a video is fast to read only forward
            records = (self.dataset[row] for row in files)
            results = chain(pool.map(_small, records), (_small(self.dataset[row]) for row in frames))
            found: dict[int, tuple[str, int, int] | None] = {}
            for place, small in zip([*files, *frames], results, strict=True):
                found[place] = small
                advance()
        for row in read:
            self.pictures[row] = self._picture(row, found[row])
        for row in wanted[len(read) :]:
            self.pictures[row] = self._picture(row, None)

    def _time(self, row: int) -> tuple[str, int]:
        """Return the video and the frame number of an image, as a key for sorting frames."""
        frame = self.dataset[row].frame
        return ("", -1) if frame is None else (str(frame.video), frame.number)

    def _picture(self, row: int, small: tuple[str, int, int] | None) -> Picture:
        """Make the picture of a row, and subtract its size from the remaining capacity.

        `small` is the result of `_small` for this row. It is None if the image could not be read.
        """
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
        """Return the classes in the image of a row, with their numbers of boxes."""
        classes, boxes = (part.tolist() for part in entries_of_image(self.dataset.sparse_class_counts, row))
        pairs = zip(classes[:CLASSES_NAMED], boxes, strict=False)
        named = [(self.dataset.class_labels[place], count) for place, count in pairs]
        others = sum(boxes[CLASSES_NAMED:])
        return (*named, *([("other classes", others)] if others else []))

    def _boxes(self, row: int) -> tuple[Box, ...]:
        """Return the boxes of a row, starting with the largest."""
        begin, end = self._boxes_of[row]
        corners = self.dataset.boxes_xyxyn[begin:end]
        known = np.isfinite(corners).all(axis=1)
        corners, classes = np.clip(corners[known], 0, 1), self.dataset.box_classes[begin:end][known]
        found = np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).round(4)
        # draw small boxes last, so that they are not hidden by large ones
        order = np.argsort(-found[:, 2:].prod(axis=1), kind="stable")[:BOXES_DRAWN]
        return tuple((*found[place].tolist(), int(classes[place])) for place in order.tolist())


def _small(record: ImageRecord) -> tuple[str, int, int] | None:
    """Return a small JPEG as a data URI with its width and height in pixels, or None if the image cannot be read."""
    small = small_image(record.path, SIDE)
    if small is None:
        return None
    data = base64.b64encode(as_jpeg(small)).decode()
    return f"data:image/jpeg;base64,{data}", small.width, small.height
