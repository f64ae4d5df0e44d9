"""Statistics for the page about a dataset: classes, sizes and positions of boxes, and classes that occur together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.dataset.health.checks import boxes_by_class, images_by_class
from detreduce.dataset.records import DetectionDataset

IntArray = npt.NDArray[np.int64]
CELLS = 24
"""Number of cells along each side of the grid in which box positions are counted."""
SIDES = (0.0, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Bounds of the bins for box sizes, as sqrt(box area / image area)."""
PER_IMAGE = (0, 1, 2, 3, 5, 9, 17, 33, 65)
"""Lower bounds of the bins for the number of boxes in an image."""


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """The numbers of images and boxes of one class: name of a split -> number."""

    name: str
    images: Mapping[str, int]
    boxes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions of boxes inside their images.

    Attributes
    ----------
    name
        Name of a class, or ``all classes``.
    boxes
        Number of boxes.
    cells
        (CELLS, CELLS): number of boxes that cover each cell of a grid over the image. The first cell is the top left
        corner.
    centre
        Share of the boxes whose centre is in the middle ninth of the image.
    """

    name: str
    boxes: int
    cells: IntArray
    centre: float


def class_counts(splits: Mapping[str, DetectionDataset]) -> list[ClassCounts]:
    """Return the counts of every class, sorted by the number of boxes in all splits, largest first."""
    images = {name: images_by_class(split) for name, split in splits.items()}
    boxes = {name: boxes_by_class(split) for name, split in splits.items()}
    names = dict.fromkeys(one for split in splits.values() for one in split.class_names)
    found = [
        ClassCounts(
            one,
            {split: images[split].get(one, 0) for split in splits},
            {split: boxes[split].get(one, 0) for split in splits},
        )
        for one in names
    ]
    return sorted(found, key=lambda counts: (-sum(counts.boxes.values()), counts.name))


def size_counts(split: DetectionDataset) -> list[int]:
    """Return the number of boxes between each two neighbouring bounds of `SIDES`.

    Boxes of unknown size are left out.
    """
    sizes = split.box_sizes[~split.box_crowd]
    sizes = np.clip(sizes[np.isfinite(sizes)], 0, 1)
    found: list[int] = np.histogram(sizes, SIDES)[0].tolist()
    return found


def per_image_counts(split: DetectionDataset) -> list[int]:
    """Return the number of images for each range of boxes per image in `PER_IMAGE`."""
    boxes = np.bincount(split.box_rows[~split.box_crowd], minlength=len(split))
    found: list[int] = np.histogram(boxes, [*PER_IMAGE, np.inf])[0].tolist()
    return found


def together(split: DetectionDataset, most: int) -> tuple[list[str], IntArray]:
    """Return the `most` most common classes, and an (m, m) matrix: the number of images that have both classes.

    The diagonal has the number of images of each class.
    """
    counts = images_by_class(split)
    names = sorted((name for name in counts if counts[name]), key=lambda name: (-counts[name], name))[:most]
    places = {name: place for place, name in enumerate(names)}
    # classes of the same name count together
    place_of = np.array([places.get(name, -1) for name in split.class_names], np.int64)
    single = ~split.box_crowd
    kinds = place_of[split.box_classes[single]] if len(place_of) else np.empty(0, np.int64)
    present = np.zeros((len(split), len(names)), np.float32)
    present[split.box_rows[single][kinds >= 0], kinds[kinds >= 0]] = 1
    return names, np.rint(present.T @ present).astype(np.int64)


def positions(split: DetectionDataset, most: int) -> list[Positions]:
    """Return the positions of boxes. The first entry is for all classes together, the others are for the `most` most
    common classes.

    Crowd regions, and boxes whose image size is not known, are left out.
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
    """Return the number of boxes that cover each cell of a grid, and the share of boxes with a centre in the middle.

    `corners` (B, 4) are fractions of the image.
    """
    first = np.minimum((corners[:, :2] * CELLS).astype(np.int64), CELLS - 1)
    last = np.clip(np.ceil(corners[:, 2:] * CELLS).astype(np.int64), first + 1, CELLS)
    # each box is added at its four corners; sums along both sides then fill the boxes
    steps = np.zeros((CELLS + 1, CELLS + 1), np.int64)
    for rows, columns, sign in ((first, first, 1), (last, last, 1), (first, last, -1), (last, first, -1)):
        np.add.at(steps, (rows[:, 1], columns[:, 0]), sign)
    cells = steps.cumsum(axis=0).cumsum(axis=1)[:CELLS, :CELLS]
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    middle = ((centres >= 1 / 3) & (centres <= 2 / 3)).all(axis=1).mean()
    return Positions(name, len(corners), cells, float(middle))
