"""The in-memory form of a dataset: frozen records, in an order that does not depend on the file system."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from detreduce.dataset.box_sizes import relative_sizes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ImageId = int | str
BoxFormat = Literal["cxcywhn", "xywh", "xyxy"]

# the suffixes that ultralytics reads as images
_SUFFIXES = "avif bmp dng heic heif jp2 jpeg jpeg2000 jpg mpo png tif tiff webp"
IMAGE_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault in the files that did not stop the load: where it is and what it is."""

    file: Path
    what: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        return f"{where}: {self.what}"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image and its boxes, as stored in the files.

    Attributes
    ----------
    id
        The id that the annotation file gives (COCO, Label Studio) or the image's name in it (CVAT). Otherwise the
        image's path below the dataset's root, with ``/``.
    name
        Path of the image below its images folder, with ``/``, as people write it in lists.
    path
        The image file. It is not opened at load and may be missing, which is listed as a problem.
    boxes
        (m, 4) float64, read-only, in the dataset's ``box_format``.
    class_ids
        (m,) int64, read-only: indices into the dataset's ``class_names``.
    crowd
        (m,) bool, read-only: COCO's ``iscrowd``. Crowd regions do not count as boxes.
    width, height
        In pixels, or None where no annotation file gives them.
    label_path
        The image's own label file (YOLO, VOC), else None.
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

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels; the image's header is read where no annotation gave them."""
        if self.width is not None and self.height is not None:
            return self.width, self.height
        return read_image_size(self.path)


@dataclass(frozen=True, slots=True)
class SplitSource:
    """Where one split's images and annotations are.

    `images`: the images folder; for YOLO every folder, list file or image file that data.yaml names. `annotations`: the
    file with the annotations of the split (COCO, CVAT, Label Studio) or the list of its images (VOC), else None.
    """

    images: tuple[Path, ...]
    annotations: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The files a dataset came from; enough to load its other splits and to filter the original files.

    `format` is a name of the format registry. `path` is the file or folder that was given, `root` the folder that ids
    which are paths are relative to. `splits` has every known split, in the order train, val, test, others.
    """

    format: str
    path: Path
    root: Path
    splits: Mapping[str, SplitSource] = field(default_factory=dict)


@dataclass(frozen=True)
class DetectionDataset:
    """One split of a dataset: records sorted by name, class names, and problems.

    Attributes
    ----------
    records
        Sorted by (name, id), so that the order is the same on every file system.
    class_names
        One per class. Names may repeat: COCO categories of the same name stay separate.
    class_keys
        The class ids in the files: 0..C-1 for YOLO, category ids (with gaps) for COCO, names for the others.
    box_format
        ``cxcywhn`` (YOLO, Label Studio: centre, width, height as fractions), ``xywh`` (COCO: pixels) or ``xyxy``
        (VOC, CVAT: pixels).
    labelled
        False for a folder of images without annotations.
    """

    records: tuple[ImageRecord, ...]
    class_names: tuple[str, ...]
    class_keys: tuple[int | str, ...]
    box_format: BoxFormat
    split: str
    source: Source
    problems: tuple[Problem, ...] = ()
    labelled: bool = True

    def __repr__(self) -> str:
        return (
            f"DetectionDataset({self.source.path}, {self.split}: {len(self.records)} images, "
            f"{len(self.class_names)} classes, {len(self.problems)} problems)"
        )

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, row: int) -> ImageRecord:
        return self.records[row]

    def __iter__(self) -> Iterator[ImageRecord]:
        return iter(self.records)

    def _repr_html_(self) -> str:
        from detreduce.dataset.views.notebook import dataset_html

        content: dict[str, object] = {
            "path": self.source.path,
            "format": self.source.format,
            "split": self.split,
            "images": len(self),
        }
        counts = self.class_counts
        if self.labelled:
            content["boxes"] = int(counts.sum())
            if crowd := int(self.box_crowd.sum()):
                content["crowd regions"] = crowd
            content["images without boxes"] = int((~counts.any(axis=1)).sum())
        content["problems"] = len(self.problems)
        return dataset_html(content, self.class_names, counts, self.problems, self._examples(6))

    def _examples(self, most: int) -> list[tuple[str, Path, npt.NDArray[np.float64]]]:
        """Return name, file and box corners of a few images, spread over the dataset."""
        rows = np.unique(np.linspace(0, len(self) - 1, min(most, len(self))).astype(int))
        # a dataset of these images alone, so that no other image is opened for its size
        few = replace(self, records=tuple(self[row] for row in rows.tolist()))
        return [(record.name, record.path, few.boxes_xyxyn[few.box_rows == row]) for row, record in enumerate(few)]

    def plot(self) -> Figure:
        """Draw bars of the classes and of the box sizes, as a matplotlib figure.

        Box sizes need the images' sizes; `boxes_xyxyn` says when image headers are read.
        """
        from detreduce.dataset.views.notebook import dataset_figure

        return dataset_figure(self.class_names, self.class_counts.sum(axis=0), self.box_sizes[~self.box_crowd])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per image: ``image_id``, ``name``, ``path``, ``width``, ``height``, ``boxes``, ``crowd``.

        Rows are in the dataset's order, the index is the row number. No image is opened: an image's size is missing
        where no annotation gives it. ``boxes`` does not count crowd regions.
        """
        from detreduce.dataset.views.frames import images_frame

        return images_frame(
            [(record.id, record.name, record.path, record.width, record.height) for record in self],
            boxes=self.class_counts.sum(axis=1),
            crowd=np.bincount(self.box_rows[self.box_crowd], minlength=len(self)),
        )

    def boxes_frame(self) -> pd.DataFrame:
        """Return one row per box: its image, class and corners.

        The columns are ``row`` (the image's row in the dataset), ``image_id``, ``name``, ``class_id``, ``class_name``,
        ``crowd``, the corners ``x1``, ``y1``, ``x2``, ``y2`` as fractions of the image (`boxes_xyxyn`), and ``size``,
        the square root of the box's share of the image.
        """
        from detreduce.dataset.views.frames import BoxColumns, boxes_frame

        boxes = BoxColumns(self.box_rows, self.box_classes, self.box_crowd, self.boxes_xyxyn, self.box_sizes)
        return boxes_frame([(record.id, record.name) for record in self], self.class_names, boxes)

    @property
    def image_ids(self) -> list[ImageId]:
        """The ids of all images, in row order."""
        return [record.id for record in self.records]

    @cached_property
    def row_of(self) -> dict[ImageId, int]:
        """Row number of each image id."""
        return {record.id: row for row, record in enumerate(self.records)}

    @cached_property
    def box_rows(self) -> npt.NDArray[np.int64]:
        """(B,) int64: the image row of every box, crowd regions included, in row order."""
        counts = [len(record.class_ids) for record in self.records]
        return np.repeat(np.arange(len(self.records), dtype=np.int64), counts)

    @cached_property
    def box_classes(self) -> npt.NDArray[np.int64]:
        """(B,) int64: the class of every box, in the order of `box_rows`."""
        parts = [record.class_ids for record in self.records]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    @cached_property
    def box_crowd(self) -> npt.NDArray[np.bool_]:
        """(B,) bool: True where the box is a crowd region, in the order of `box_rows`."""
        parts = [record.crowd for record in self.records]
        return np.concatenate(parts) if parts else np.empty(0, np.bool_)

    @cached_property
    def boxes_xyxyn(self) -> npt.NDArray[np.float64]:
        """(B, 4) float64: x1, y1, x2, y2 of every box as fractions of its image, in the order of `box_rows`.

        Reads the header of an image only where its boxes are in pixels and no annotation gives its size. Boxes are NaN
        where the image's size cannot be read.
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
        """(B,) float64: sqrt(box area / image area) of the part inside the image, in the order of `box_rows`.

        Rounded to nine decimals, so that equal boxes have equal sizes wherever they lie. Image headers are read, and
        sizes are NaN, as for `boxes_xyxyn`.
        """
        if self.box_format == "cxcywhn":
            return relative_sizes(self._stored_boxes, self.box_format, np.ones((len(self.box_rows), 2)))
        return relative_sizes(self._stored_boxes, self.box_format, self._image_sizes[self.box_rows])

    @cached_property
    def _stored_boxes(self) -> npt.NDArray[np.float64]:
        parts = [record.boxes for record in self.records]
        return np.concatenate(parts) if parts else np.empty((0, 4))

    @cached_property
    def _image_sizes(self) -> npt.NDArray[np.float64]:
        """(n, 2) width and height; NaN for images without boxes and where it cannot be read."""
        return np.array([self._size_or_nan(record) for record in self.records], np.float64).reshape(-1, 2)

    @staticmethod
    def _size_or_nan(record: ImageRecord) -> tuple[float, float]:
        if not len(record.class_ids):
            return (np.nan, np.nan)
        try:
            return record.size
        except OSError:
            return (np.nan, np.nan)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of image names, boxes and class names, wherever the dataset is stored; pixels are not read."""
        digest = hashlib.sha256(json.dumps([self.class_names, self.box_format]).encode())
        for record in self.records:
            digest.update(json.dumps([record.id, record.name, len(record.class_ids)]).encode())
            digest.update(record.boxes.tobytes() + record.class_ids.tobytes() + record.crowd.tobytes())
        return digest.hexdigest()

    @cached_property
    def class_counts(self) -> npt.NDArray[np.int32]:
        """(n, C) int32: number of boxes of each class in each image, without crowd regions."""
        counts = np.zeros((len(self.records), len(self.class_names)), np.int32)
        single = ~self.box_crowd
        np.add.at(counts, (self.box_rows[single], self.box_classes[single]), 1)
        return counts


def read_image_size(path: Path) -> tuple[int, int]:
    """Read (width, height) in pixels from the header of an image, EXIF rotation applied; raises OSError."""
    from PIL import Image

    try:
        opened = Image.open(path)
    except ImportError as error:
        # once ultralytics is imported, Pillow asks for a HEIF reader where it cannot identify a file
        raise OSError(f"cannot identify image file {str(path)!r}") from error
    with opened as image:
        width, height = image.size
        if image.getexif().get(0x0112) in (5, 6, 7, 8):
            width, height = height, width
    return width, height
