"""Report what a selection costs each class, and the licences of its images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from detreduce.dataset.formats.registry import get_format
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.errors import InputError, nearest

NEARLY_ALL = 0.95
FEW_BOXES = 5


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Numbers of boxes and images of one class in the full set and in the subset, without crowd regions."""

    name: str
    boxes_full: int
    boxes_kept: int
    images_full: int
    images_kept: int

    @property
    def lost(self) -> bool:
        """True where the class had boxes and has none now."""
        return self.boxes_full > 0 and self.boxes_kept == 0

    @property
    def nearly_lost(self) -> bool:
        """True where 95 % of the boxes or more are removed, and one to four remain."""
        gone = self.boxes_full - self.boxes_kept
        return 0 < self.boxes_kept < FEW_BOXES and gone >= NEARLY_ALL * self.boxes_full


@dataclass(frozen=True, slots=True)
class SubsetReport:
    """What a subset keeps of a dataset.

    Attributes
    ----------
    images_full, images_kept
        Number of images in the full set and in the subset.
    classes
        One entry per class, in the dataset's order; classes of the same name stay separate.
    licences
        (name, number of kept images), most frequent first; empty where the dataset states no licence.
    """

    images_full: int
    images_kept: int
    classes: tuple[ClassReport, ...]
    licences: tuple[tuple[str, int], ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence on classes without boxes, one on classes with very few."""
        lines = []
        if lost := [item for item in self.classes if item.lost]:
            names = ", ".join(f"{item.name} ({item.boxes_full})" for item in lost)
            lines.append(f"The subset has no box of {names}; a detector trained on it cannot find these classes.")
        if nearly := [item for item in self.classes if item.nearly_lost]:
            names = ", ".join(f"{item.name} ({item.boxes_kept} of {item.boxes_full})" for item in nearly)
            lines.append(f"The subset has lost nearly all boxes of {names}.")
        return tuple(lines)


def subset_report(dataset: DetectionDataset, image_ids: Iterable[ImageId]) -> SubsetReport:
    """Count boxes, images and licences of the given images, compared with the whole dataset.

    Raises InputError for an id that is not in the dataset. The licences come from the source's files: COCO's licence of
    each image, or the one that data.yaml states (``license``, ``licence``, ``roboflow: license``).
    """
    ids = list(image_ids)
    for image_id in ids:
        if image_id not in dataset.row_of:
            hint = nearest(str(image_id), map(str, dataset.image_ids))
            raise InputError(f"Image {image_id!r} is not in {dataset.source.path}.{hint}")
    rows = np.unique(np.array([dataset.row_of[image_id] for image_id in ids], np.int64))
    counts = dataset.class_counts
    classes = tuple(
        ClassReport(name, int(full), int(kept), int(images_full), int(images_kept))
        for name, full, kept, images_full, images_kept in zip(
            dataset.class_names,
            counts.sum(0),
            counts[rows].sum(0),
            (counts > 0).sum(0),
            (counts[rows] > 0).sum(0),
            strict=True,
        )
    )
    licences = get_format(dataset.source.format).read_licences(dataset)
    tally = Counter(licences(dataset[int(row)].id) for row in rows) if licences else Counter()
    ordered = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    return SubsetReport(len(dataset), len(rows), classes, tuple(ordered))
