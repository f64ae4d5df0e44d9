"""Report how many boxes of each class a subset has lost, and the licences of its images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from detreduce.arrays.class_counts import boxes_of_classes, images_of_classes
from detreduce.dataset.formats.registry import get_format
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.numbers import counted
from detreduce.errors import InputError, nearest

FAR_BELOW = 0.25
"""A class is far below its share if it keeps less than this part of the boxes that it would keep in proportion to the
images."""
NAMED = 20
"""The maximum number of classes that a warning names."""


@dataclass(frozen=True, slots=True)
class ClassReport:
    """The number of boxes and images of one class, in the full set and in the subset. Crowd regions do not count.

    Attributes
    ----------
    name
        Name of the class, with its key if several classes have this name.
    boxes_full
        Number of boxes in the full set.
    boxes_kept
        Number of boxes in the subset.
    images_full
        Number of images in the full set that have a box of the class.
    images_kept
        Number of images in the subset that have a box of the class.
    """

    name: str
    boxes_full: int
    boxes_kept: int
    images_full: int
    images_kept: int

    @property
    def lost(self) -> bool:
        """Whether the class has boxes in the full set but none in the subset."""
        return self.boxes_full > 0 and self.boxes_kept == 0


@dataclass(frozen=True, slots=True)
class SubsetReport:
    """A subset compared with the full set.

    Attributes
    ----------
    images_full
        Number of images in the full set.
    images_kept
        Number of images in the subset.
    classes
        One entry for each class, in the order of the dataset. Classes with the same name stay separate.
    licences
        The licences and their number of images in the subset, most frequent first. Empty if the dataset does not state
        licences.
    background_full, background_kept
        Number of images without boxes in the full set and in the subset. Images with unreadable labels are not counted.
        If the dataset has no labels, both are 0.
    """

    images_full: int
    images_kept: int
    classes: tuple[ClassReport, ...]
    licences: tuple[tuple[str, int], ...]
    background_full: int = 0
    background_kept: int = 0

    @property
    def far_below_share(self) -> tuple[ClassReport, ...]:
        """The classes that keep boxes, but less than a quarter of their share.

        The share is in proportion to the images: if 25 of 100 images are kept, the share of a class with 80 boxes is 20
        boxes, and the class is far below its share with 1 to 4 boxes.
        """
        part = FAR_BELOW * self.images_kept / max(self.images_full, 1)
        return tuple(item for item in self.classes if 0 < item.boxes_kept < part * item.boxes_full)

    @property
    def warnings(self) -> tuple[str, ...]:
        """At most two sentences: about classes without boxes, and about classes that are far below their share."""
        lines = []
        if lost := [item for item in self.classes if item.lost]:
            names = _list([f"{item.name} ({item.boxes_full})" for item in lost])
            lines.append(
                f"The subset has no box of {names}. A detector trained on the subset cannot find these classes."
            )
        if few := self.far_below_share:
            names = _list(
                [f"{item.boxes_kept:,} of {counted(item.boxes_full, 'box', 'boxes')} of {item.name}" for item in few]
            )
            kept = f"{self.images_kept:,} of {counted(self.images_full, 'image')}"
            lines.append(f"The subset has {kept}, but keeps only {names}.")
        return tuple(lines)


def _list(names: Sequence[str]) -> str:
    """Return the first names as text, followed by the number of further names."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def subset_report(dataset: DetectionDataset, image_ids: Iterable[ImageId]) -> SubsetReport:
    """Count the boxes, images and licences of the subset `image_ids`, and compare them with the full set.

    The licences are read from the original files. COCO states a licence for each image, and a data.yaml states one for
    all images (``license``, ``licence``, ``roboflow: license``). Raise InputError if an id is not in the dataset.
    """
    ids = list(image_ids)
    for image_id in ids:
        if image_id not in dataset.row_of:
            hint = nearest(str(image_id), map(str, dataset.image_ids))
            raise InputError(f"Image {image_id!r} is not in {dataset.source.path}.{hint}")
    rows = np.unique(np.array([dataset.row_of[image_id] for image_id in ids], np.int64))
    counts = dataset.sparse_class_counts
    kept = counts[rows]
    classes = tuple(
        ClassReport(name, int(full), int(left), int(images_full), int(images_kept))
        for name, full, left, images_full, images_kept in zip(
            dataset.class_labels,
            boxes_of_classes(counts),
            boxes_of_classes(kept),
            images_of_classes(counts),
            images_of_classes(kept),
            strict=True,
        )
    )
    licences = get_format(dataset.source.format).read_licences(dataset)
    tally = Counter(licences(dataset[int(row)].id) for row in rows) if licences else Counter()
    ordered = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    background = dataset.background & dataset.labelled
    return SubsetReport(
        len(dataset), len(rows), classes, tuple(ordered), int(background.sum()), int(background[rows].sum())
    )
