"""A dataset in memory: its images in an order that does not depend on the file system, and its classes and problems."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import boxes_of_classes, boxes_of_images, count_boxes
from detreduce.dataset.box_sizes import inside_sides, relative_sizes
from detreduce.dataset.reading.loaded_files import LoadedFiles
from detreduce.dataset.source import Source, SplitSource
from detreduce.display.numbers import counted
from detreduce.machine.untrusted.image_files import opened_image
from detreduce.ultralytics_bridge.shown_size import shown_size
from detreduce.videos.paths import VideoFrame

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from scipy.sparse import csr_array

__all__ = ["DetectionDataset", "ImageRecord", "Problem", "Source", "SplitSource"]

ImageId = int | str
BoxFormat = Literal["cxcywhn", "xywh", "xyxy"]

# the suffixes of files that ultralytics reads as images
_SUFFIXES = "avif bmp dng heic heif jp2 jpeg jpeg2000 jpg mpo png tif tiff webp"
IMAGE_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in the files of a dataset. The rest of the dataset can be loaded.

    Attributes
    ----------
    file
        The file with the problem.
    what
        A description of the problem.
    line
        The line in the file, counted from 1. None if the problem does not belong to a line.
    """

    file: Path
    what: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        return f"{where}: {self.what}"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image and its boxes, as the files store them.

    Attributes
    ----------
    id
        For COCO and Label Studio, the id of the image in the annotation file. For CVAT, its name in the annotation
        file. For any other format, its path relative to the root of the dataset, with ``/`` as the separator.
    name
        The path of the image relative to its images folder, with ``/`` as the separator. Lists of images use this name.
    path
        The path of the image file. Loading a dataset does not open the file. If it is missing, the dataset's problems
        list it. The path of a video's frame begins with the path of the video (see `frame`).
    boxes
        (m, 4) float64, read-only: the boxes, in the dataset's ``box_format``.
    class_ids
        (m,) int64, read-only: the class of each box, as an index into the dataset's ``class_names``.
    crowd
        (m,) bool, read-only: whether each box is a crowd region (COCO's ``iscrowd``). Crowd regions do not count as
        boxes.
    width
        Width in pixels. None if no annotation file gives the width.
    height
        Height in pixels. None if no annotation file gives the height.
    label_path
        The label file of this image alone (YOLO, VOC, LabelMe). None if there is no such file.
    unreadable
        Whether the image has labels but none of them can be read. Such an image is not background: conversion and
        training leave it out.
    refused
        Whether ultralytics leaves the image out of a training because of its label file (YOLO). Labels that are
        converted from another format are never refused.
    frame
        The video, and the number and the time of the frame in it. None if the image is not a frame of a video.
    """

    id: ImageId
    name: str
    path: Path
    boxes: npt.NDArray[np.float64]
    class_ids: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]
    width: int | None = None
    height: int | None = None
    label_path: Path | None = None
    unreadable: bool = False
    refused: bool = False
    frame: VideoFrame | None = None

    @property
    def file(self) -> Path:
        """The file that contains the image: `path` or, for a frame, the video."""
        return self.path if self.frame is None else self.frame.video

    @property
    def trainable(self) -> bool:
        """Whether a training uses the image. False if the training leaves it out because of its labels."""
        return not (self.refused or self.unreadable)

    @property
    def size(self) -> tuple[int, int]:
        """The width and height in pixels. If no annotation file gives them, the header of the image is read."""
        if self.width is not None and self.height is not None:
            return self.width, self.height
        return read_image_size(self.path)


@dataclass(frozen=True)
class DetectionDataset:
    """One split of a dataset: its images as records, its classes, and the problems in its files.

    Attributes
    ----------
    records
        One record for each image, sorted by name and id, so that the order is the same on every file system.
    class_names
        The name of each class. Names may repeat, because COCO categories with the same name stay separate classes.
    class_keys
        The key of each class, as written in the files. For YOLO, the keys are the numbers 0 to C - 1; for COCO,
        category ids, which may have gaps; for any other format, class names.
    box_format
        ``cxcywhn`` (YOLO, Label Studio): centre, width and height as fractions of the image. ``xywh`` (COCO): first
        corner, width and height in pixels. ``xyxy`` (VOC, CVAT): two corners in pixels.
    split
        Name of the split.
    source
        The files from which the dataset was loaded.
    problems
        The problems that were found in the files while loading.
    labelled
        Whether the images have annotations. False for a plain folder of images.
    loaded
        The state of the files when they were loaded. `write_subset` refuses files that have changed since.
    outside
        The number of images and label files outside the dataset's folder. Links or paths in the dataset lead to them.
    """

    records: tuple[ImageRecord, ...]
    class_names: tuple[str, ...]
    class_keys: tuple[int | str, ...]
    box_format: BoxFormat
    split: str
    source: Source
    problems: tuple[Problem, ...] = ()
    labelled: bool = True
    loaded: LoadedFiles = field(default_factory=LoadedFiles, repr=False, compare=False)
    outside: int = field(default=0, compare=False)

    def __repr__(self) -> str:
        return (
            f"DetectionDataset({self.source.path}, {self.split}: {counted(len(self.records), 'image')}, "
            f"{counted(len(self.class_names), 'class', 'classes')}, {counted(len(self.problems), 'problem')})"
        )

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, row: int) -> ImageRecord:
        return self.records[row]

    def __iter__(self) -> Iterator[ImageRecord]:
        return iter(self.records)

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows for the dataset."""
        from detreduce.dataset.views.notebook import dataset_html

        content: dict[str, object] = {
            "path": self.source.path,
            "format": self.source.format,
            "split": self.split,
            "images": len(self),
        }
        counts = self.sparse_class_counts
        if self.labelled:
            content["boxes"] = int(counts.sum())
            if crowd := int(self.box_crowd.sum()):
                content["crowd regions"] = crowd
            content["images without boxes"] = int((boxes_of_images(counts) == 0).sum())
        content["problems"] = len(self.problems)
        rows = np.unique(np.linspace(0, len(self) - 1, min(6, len(self))).astype(int))
        return dataset_html(content, self.class_names, counts, self.problems, self.examples(rows.tolist()))

    def examples(self, rows: Iterable[int]) -> list[tuple[str, Path, npt.NDArray[np.float64]]]:
        """Return the name, the file and the box corners (m, 4) of some images, to draw them.

        The corners are fractions of the image. If sizes must be read from image files, only these images are opened.
        """
        few = replace(self, records=tuple(self[row] for row in rows))
        return [(record.name, record.path, few.boxes_xyxyn[few.box_rows == row]) for row, record in enumerate(few)]

    def plot(self) -> Figure:
        """Return a matplotlib figure with two bar charts: the boxes of each class, and the sizes of boxes.

        If the sizes of boxes need the sizes of images, the headers of images are read (see `boxes_xyxyn`).
        """
        from detreduce.dataset.views.notebook import dataset_figure

        return dataset_figure(
            self.class_names, boxes_of_classes(self.sparse_class_counts), self.box_sizes[~self.box_crowd]
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas frame with one row for each image, in the order of the dataset.

        The columns are ``image_id``, ``name``, ``path``, ``width``, ``height``, ``boxes`` and ``crowd``. ``crowd``
        is the number of crowd regions, and ``boxes`` is the number of all other boxes. No image is opened: if no
        annotation file gives the size of an image, ``width`` and ``height`` are missing.
        """
        from detreduce.dataset.views.frames import images_frame

        return images_frame(
            [(record.id, record.name, record.path, record.width, record.height) for record in self],
            boxes=boxes_of_images(self.sparse_class_counts),
            crowd=np.bincount(self.box_rows[self.box_crowd], minlength=len(self)),
        )

    def boxes_frame(self) -> pd.DataFrame:
        """Return a pandas frame with one row for each box.

        The columns are ``row`` (the row of the box's image in the dataset), ``image_id``, ``name``, ``class_id``,
        ``class_name``, ``crowd``, ``x1``, ``y1``, ``x2``, ``y2`` and ``size``. The corners are fractions of the image
        (see `boxes_xyxyn`), and ``size`` is sqrt(box area / image area) (see `box_sizes`).
        """
        from detreduce.dataset.views.frames import BoxColumns, boxes_frame

        boxes = BoxColumns(self.box_rows, self.box_classes, self.box_crowd, self.boxes_xyxyn, self.box_sizes)
        return boxes_frame([(record.id, record.name) for record in self], self.class_names, boxes)

    @cached_property
    def class_labels(self) -> tuple[str, ...]:
        """The name of each class, for readers. If several classes share a name, their keys are added to it."""
        counts = Counter(self.class_names)
        pairs = zip(self.class_names, self.class_keys, strict=True)
        return tuple(f"{name} (key {key})" if counts[name] > 1 else name for name, key in pairs)

    @property
    def image_ids(self) -> list[ImageId]:
        """The ids of all images, in the order of the rows."""
        return [record.id for record in self.records]

    @cached_property
    def row_of(self) -> dict[ImageId, int]:
        """The row of each image, keyed by the id of the image."""
        return {record.id: row for row, record in enumerate(self.records)}

    @cached_property
    def box_rows(self) -> npt.NDArray[np.int64]:
        """(B,) int64: the row of each box's image, ascending. Crowd regions are included."""
        counts = [len(record.class_ids) for record in self.records]
        return np.repeat(np.arange(len(self.records), dtype=np.int64), counts)

    @cached_property
    def box_classes(self) -> npt.NDArray[np.int64]:
        """(B,) int64: the class of each box, in the order of `box_rows`."""
        parts = [record.class_ids for record in self.records]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    @cached_property
    def box_crowd(self) -> npt.NDArray[np.bool_]:
        """(B,) bool: whether each box is a crowd region, in the order of `box_rows`."""
        parts = [record.crowd for record in self.records]
        return np.concatenate(parts) if parts else np.empty(0, np.bool_)

    @cached_property
    def boxes_xyxyn(self) -> npt.NDArray[np.float64]:
        """(B, 4) float64: x1, y1, x2, y2 of each box as fractions of its image, in the order of `box_rows`.

        The header of an image is read only if its boxes are in pixels and no annotation file gives its size. If the
        size cannot be read, the boxes of the image are NaN.
        """
        boxes = self._stored_boxes
        if self.box_format == "cxcywhn":
            half = boxes[:, 2:] / 2
            return np.hstack([boxes[:, :2] - half, boxes[:, :2] + half])
        if self.box_format == "xywh":
            boxes = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        return boxes / np.tile(self._image_sizes, 2)[self.box_rows]

    @cached_property
    def box_sizes(self) -> npt.NDArray[np.float64]:
        """(B,) float64: the size of each box, sqrt(box area / image area), in the order of `box_rows`.

        Only the part of a box inside its image is measured. Sizes are rounded to nine decimals, so that equal boxes at
        different positions have equal sizes. The headers of images are read in the same cases as for `boxes_xyxyn`. If
        the size of an image cannot be read, the sizes of its boxes are NaN.
        """
        fractions = self.box_format == "cxcywhn"
        images = np.ones((len(self.box_rows), 2)) if fractions else self._image_sizes[self.box_rows]
        return relative_sizes(inside_sides(self._stored_boxes, self.box_format, images), images)

    @cached_property
    def _stored_boxes(self) -> npt.NDArray[np.float64]:
        """(B, 4) float64: all boxes in `box_format`, in the order of `box_rows`."""
        parts = [record.boxes for record in self.records]
        return np.concatenate(parts) if parts else np.empty((0, 4))

    @cached_property
    def _image_sizes(self) -> npt.NDArray[np.float64]:
        """(n, 2) float64: width and height of each image. NaN if an image has no boxes or its size cannot be read."""
        return np.array([self._size_or_nan(record) for record in self.records], np.float64).reshape(-1, 2)

    @staticmethod
    def _size_or_nan(record: ImageRecord) -> tuple[float, float]:
        """Return the width and height of an image. Both are NaN if it has no boxes or cannot be read."""
        if not len(record.class_ids):
            return (np.nan, np.nan)
        try:
            return record.size
        except OSError:
            return (np.nan, np.nan)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the names of the images, the boxes and the names of the classes, in hexadecimal.

        The hash depends neither on the folder of the dataset nor on the pixels.
        """
        digest = hashlib.sha256(json.dumps([self.class_names, self.box_format]).encode())
        for record in self.records:
            # the text of json.dumps([id, name, boxes]), but made faster
            key = record.id if isinstance(record.id, int) else encode_basestring_ascii(record.id)
            digest.update(f"[{key}, {encode_basestring_ascii(record.name)}, {len(record.class_ids)}]".encode())
            digest.update(record.boxes.tobytes() + record.class_ids.tobytes() + record.crowd.tobytes())
        return digest.hexdigest()

    @cached_property
    def class_counts(self) -> npt.NDArray[np.int32]:
        """(n, C) int32: the number of boxes of each class in each image, without crowd regions.

        The memory grows with the number of images times the number of classes; see `sparse_class_counts`.
        """
        return self.sparse_class_counts.toarray()

    @cached_property
    def sparse_class_counts(self) -> csr_array:
        """(n, C) int32: the same numbers as `class_counts`, as a sparse array whose memory grows with the number of
        boxes.
        """
        single = ~self.box_crowd
        shape = len(self.records), len(self.class_names)
        return count_boxes(self.box_rows[single], self.box_classes[single], shape)

    @cached_property
    def background(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: whether each image is a background image, which has no boxes.

        An image that has only crowd regions is a background image. An image with unreadable labels is not.
        """
        empty = np.bincount(self.box_rows[~self.box_crowd], minlength=len(self.records)) == 0
        return empty & ~self.unreadable

    @cached_property
    def unreadable(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: whether each image has labels but none of them can be read."""
        return np.array([record.unreadable for record in self.records], np.bool_)


def read_image_size(path: Path) -> tuple[int, int]:
    """Read the width and height in pixels from the header of an image, after EXIF rotation.

    Raise OSError if this fails. See `shown_size`.
    """
    with opened_image(path) as image:
        return shown_size(image, path)
