"""Statistics for the page about a dataset: classes, sizes and positions of boxes, and classes that occur together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detreduce.dataset.health.checks import boxes_by_class, images_by_class
from detreduce.dataset.records import DetectionDataset

IntArray = npt.NDArray[np.int64]
CELLS = 24
"""The number of cells along each side of the grid in which the positions of boxes are counted."""
SIDES = (0.0, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""The bounds of the bins for box sizes. The size of a box is sqrt(box area / image area)."""
PER_IMAGE = (0, 1, 2, 3, 5, 9, 17, 33, 65)
"""The lower bounds of the bins for the number of boxes in an image."""


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """The numbers of images and boxes of one class.

    Attributes
    ----------
    name
        The name of the class.
    images, boxes
        The numbers in each split, by the name of the split.
    all_images, all_boxes
        The numbers in all splits together. An image that is in several splits counts once.
    """

    name: str
    images: Mapping[str, int]
    boxes: Mapping[str, int]
    all_images: int
    all_boxes: int


@dataclass(frozen=True, slots=True)
class Positions:
    """Where boxes are inside their images.

    Attributes
    ----------
    name
        The name of a class, or ``all classes``.
    boxes
        The number of boxes.
    cells
        (CELLS, CELLS) array for a grid over the image. Each value is the number of boxes that cover this cell. The
        first cell is in the top left corner.
    centre
        The share of boxes whose centre is in the middle ninth of the image.
    """

    name: str
    boxes: int
    cells: IntArray
    centre: float


def class_counts(splits: Mapping[str, DetectionDataset]) -> list[ClassCounts]:
    """Return the counts of every class, sorted from most to fewest boxes in all splits together."""
    images = {name: images_by_class(split) for name, split in splits.items()}
    boxes = {name: boxes_by_class(split) for name, split in splits.items()}
    names = dict.fromkeys(one for split in splits.values() for one in split.class_names)
    all_images, all_boxes = Counter[str](), Counter[str]()
    for split, first in _first_in(splits):
        all_images.update(images_by_class(split, first))
        all_boxes.update(boxes_by_class(split, first))
    found = [
        ClassCounts(
            one,
            {split: images[split].get(one, 0) for split in splits},
            {split: boxes[split].get(one, 0) for split in splits},
            all_images[one],
            all_boxes[one],
        )
        for one in names
    ]
    return sorted(found, key=lambda counts: (-counts.all_boxes, counts.name))


def _first_in(splits: Mapping[str, DetectionDataset]) -> Iterator[tuple[DetectionDataset, npt.NDArray[np.bool_]]]:
    """Yield each split, and (n,) bool: whether the file of an image is in no earlier split, such as VOC's trainval."""
    seen = set[Path]()
    for split in splits.values():
        paths = [record.path for record in split]
        yield split, np.array([path not in seen for path in paths], np.bool_)
        seen.update(paths)


def size_counts(split: DetectionDataset) -> list[int]:
    """Return the number of boxes in each bin of `SIDES`. Boxes of unknown size are left out."""
    sizes = split.box_sizes[~split.box_crowd]
    sizes = np.clip(sizes[np.isfinite(sizes)], 0, 1)
    found: list[int] = np.histogram(sizes, SIDES)[0].tolist()
    return found


def per_image_counts(split: DetectionDataset) -> list[int]:
    """Return a histogram of the number of boxes per image, with the bins `PER_IMAGE`."""
    boxes = np.bincount(split.box_rows[~split.box_crowd], minlength=len(split))
    found: list[int] = np.histogram(boxes, [*PER_IMAGE, np.inf])[0].tolist()
    return found


def together(split: DetectionDataset, most: int) -> tuple[list[str], IntArray]:
    """Count how often the most common classes occur in the same image. `most` is the number of classes to use.

    Return the m names of these classes and an (m, m) matrix. An entry is the number of images that contain both
    classes. On the diagonal, it is the number of images that contain the class.
    """
    counts = images_by_class(split)
    names = sorted((name for name in counts if counts[name]), key=lambda name: (-counts[name], name))[:most]
    places = {name: place for place, name in enumerate(names)}
    # classes with the same name are counted together
    place_of = np.array([places.get(name, -1) for name in split.class_names], np.int64)
    single = ~split.box_crowd
    kinds = place_of[split.box_classes[single]] if len(place_of) else np.empty(0, np.int64)
    present = np.zeros((len(split), len(names)), np.float32)
    present[split.box_rows[single][kinds >= 0], kinds[kinds >= 0]] = 1
    return names, np.rint(present.T @ present).astype(np.int64)


def positions(split: DetectionDataset, most: int) -> list[Positions]:
    """Return the positions of boxes: first for all classes together, then for each of the `most` most common classes.

    Crowd regions and boxes in images of unknown size are left out.
    """
    corners = np.clip(split.boxes_xyxyn, 0, 1)
    usable = ~split.box_crowd & np.isfinite(corners).all(axis=1)
    corners, kinds = corners[usable], split.box_classes[usable]
    if not len(corners):
        return []
    found = [_positions("all classes", corners)]
    counts = np.bincount(kinds, minlength=len(split.class_names))
    common = [kind for kind in np.argsort(-counts, kind="stable")[:most].tolist() if counts[kind]]
    if len(common) > 1:
        found += [_positions(split.class_names[kind], corners[kinds == kind]) for kind in common]
    return found


def _positions(name: str, corners: npt.NDArray[np.float64]) -> Positions:
    """Count how many boxes cover each cell of a grid, and compute the share of boxes with their centre in the middle.

    `corners` (B, 4) are x1, y1, x2, y2 as fractions of the image.
    """
    first = np.minimum((corners[:, :2] * CELLS).astype(np.int64), CELLS - 1)
    last = np.clip(np.ceil(corners[:, 2:] * CELLS).astype(np.int64), first + 1, CELLS)
    # add or subtract 1 at the four corners of each box; cumulative sums along both axes then fill the boxes
    steps = np.zeros((CELLS + 1, CELLS + 1), np.int64)
    for rows, columns, sign in ((first, first, 1), (last, last, 1), (first, last, -1), (last, first, -1)):
        np.add.at(steps, (rows[:, 1], columns[:, 0]), sign)
    cells = steps.cumsum(axis=0).cumsum(axis=1)[:CELLS, :CELLS]
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    middle = ((centres >= 1 / 3) & (centres <= 2 / 3)).all(axis=1).mean()
    return Positions(name, len(corners), cells, float(middle))
