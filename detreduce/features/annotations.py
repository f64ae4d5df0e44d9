"""The `annotations` block: features that are computed from the boxes of an image, without opening the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import count_boxes
from detreduce.features.class_columns import class_column_names, class_columns

if TYPE_CHECKING:
    from scipy.sparse import csr_array

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
GRID = 4
SHORTEST_SIDE = 1e-4  # as a fraction of the image; it makes the aspect ratio of every box finite
_PAIRS_AT_ONCE = 1 << 20
MOST_PAIRED = 20_000
"""In an image with more boxes than this, only a random sample of the boxes is compared pair by pair.

The time grows with the square of this number.
"""
# the number of rows and columns of a tile of pairs in a crowded image; a tile's arrays fit into a processor's cache
_TILE = (32, 2048)

Floats = npt.NDArray[np.float64]


def annotation_columns(class_names: Sequence[str], counts: csr_array | None = None) -> list[str]:
    """Return the names of the columns that `annotation_features` computes, in order.

    `counts` is the (n, C) number of boxes of each class in each image. If `counts` is None, every class has its own
    column.
    """
    return [
        *class_column_names(class_names, counts),
        "boxes",
        *(f"sqrt_area_q{round(100 * q)}" for q in QUANTILES),
        *(f"log_aspect_q{round(100 * q)}" for q in QUANTILES),
        *(f"cover[{row},{column}]" for row in range(GRID) for column in range(GRID)),
        "mean_pairwise_iou",
    ]


def annotation_features(
    boxes: npt.ArrayLike, rows: npt.ArrayLike, classes: npt.ArrayLike, n_images: int, n_classes: int
) -> npt.NDArray[np.float32]:
    """Compute the features of the block `annotations` from the boxes of each image.

    The columns are, in this order:

    - one column for each class: log(1 + number of boxes of this class). If there are more than 2,000 classes, see
      `class_columns`;
    - the number of boxes;
    - five quantiles of sqrt(area): 0, 25, 50, 75 and 100 %;
    - the same five quantiles of log(width / height);
    - the cover of each cell of a 4x4 grid, row by row from the top left. The cover is the total area of the boxes
      inside the cell, divided by the area of the cell;
    - the mean IoU of all pairs of boxes in the image, whatever their classes. It is 0 for a single box. If an image has
      more than 20,000 boxes, only a random sample of 20,000 boxes is compared.

    Widths, heights and areas are fractions of the image. The row of an image without boxes is all zeros.

    Parameters
    ----------
    boxes
        (B, 4) corners x1, y1, x2, y2 as fractions of the image. Parts outside the image are cut off.
    rows
        (B,) row of each box's image.
    classes
        (B,) class number of each box.
    n_images
        Number of images, including images without boxes.
    n_classes
        Number of classes, including classes without boxes.

    Returns
    -------
    numpy.ndarray
        (n_images, n_classes + 28) float32. If there are more than 2,000 classes, the array has at most 2,028 columns.
    """
    corners = np.clip(np.asarray(boxes, np.float64).reshape(-1, 4), 0.0, 1.0)
    image = np.asarray(rows, np.int64)
    kind = np.asarray(classes, np.int64)
    order = np.argsort(image, kind="stable")
    corners, image, kind = corners[order], image[order], kind[order]
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0.0)
    counts = np.bincount(image, minlength=n_images)
    bounded = np.maximum(sides, SHORTEST_SIDE)
    columns = [
        class_columns(count_boxes(image, kind, (n_images, n_classes))),
        counts[:, None],
        _grouped_quantiles(np.sqrt(sides[:, 0] * sides[:, 1]), image, counts),
        _grouped_quantiles(np.log(bounded[:, 0] / bounded[:, 1]), image, counts),
        _grid_cover(corners, image, n_images),
        _mean_pairwise_iou(corners, counts)[:, None],
    ]
    return np.hstack(columns).astype(np.float32)


def _grouped_quantiles(values: Floats, image: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Floats:
    """Return the five `QUANTILES` of the values of each image, (n, 5). An image without values gets zeros."""
    ordered = values[np.lexsort((values, image))]
    starts = np.cumsum(counts) - counts
    filled = np.flatnonzero(counts)
    result = np.zeros((len(counts), len(QUANTILES)))
    for column, q in enumerate(QUANTILES):
        place = q * (counts[filled] - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, counts[filled] - 1)
        below, above = ordered[starts[filled] + low], ordered[starts[filled] + high]
        result[filled, column] = below + (place - low) * (above - below)
    return result


def _grid_cover(corners: Floats, image: npt.NDArray[np.int64], n_images: int) -> Floats:
    """Return the cover of each cell of a 4x4 grid for each image, (n, 16).

    The cover is the total area of the boxes inside the cell, divided by the area of the cell. If boxes overlap, the
    cover can be more than 1. The cells are in rows from the top left.
    """

    def overlaps(low: Floats, high: Floats) -> list[Floats]:
        """Return the overlap of each interval with each cell of the grid, along one axis."""
        return [np.clip(high, i / GRID, (i + 1) / GRID) - np.clip(low, i / GRID, (i + 1) / GRID) for i in range(GRID)]

    across = overlaps(corners[:, 0], np.maximum(corners[:, 2], corners[:, 0]))
    down = overlaps(corners[:, 1], np.maximum(corners[:, 3], corners[:, 1]))
    cells = [
        np.bincount(image, weights=height * width * GRID * GRID, minlength=n_images)
        for height in down
        for width in across
    ]
    return np.stack(cells, axis=1)


def _mean_pairwise_iou(corners: Floats, counts: npt.NDArray[np.int64]) -> Floats:
    """Return the mean IoU of all pairs of boxes in each image, (n,). The boxes in `corners` must be sorted by image."""
    starts = np.cumsum(counts) - counts
    result = np.zeros(len(counts))
    crowded = counts * (counts - 1) // 2 > _PAIRS_AT_ONCE
    for row in np.flatnonzero(crowded):
        boxes = _drawn(corners[starts[row] : starts[row] + counts[row]])
        result[row] = _sum_of_ious(boxes) / (len(boxes) * (len(boxes) - 1) // 2)
    # images with the same number of boxes are computed together, a few at a time, to limit the memory
    for m in np.unique(counts[(counts > 1) & ~crowded]):
        first, second = np.triu_indices(int(m), k=1)
        members = np.flatnonzero(counts == m)
        step = max(1, _PAIRS_AT_ONCE // len(first))
        for begin in range(0, len(members), step):
            chunk = members[begin : begin + step]
            a = corners[starts[chunk][:, None] + first]
            b = corners[starts[chunk][:, None] + second]
            result[chunk] = _iou(a, b).sum(axis=1) / len(first)
    return result


def _drawn(corners: Floats) -> Floats:
    """Return a random sample of `MOST_PAIRED` boxes, or all boxes if there are fewer.

    The sample does not depend on the order of the boxes.
    """
    if len(corners) <= MOST_PAIRED:
        return corners
    ordered = corners[np.lexsort(corners.T)]
    return np.asarray(np.random.default_rng(0).choice(ordered, MOST_PAIRED, replace=False))


def _sum_of_ious(corners: Floats) -> float:
    """Return the sum of the IoUs of all pairs of (m, 4) boxes, with memory that does not grow with the number of pairs.

    The boxes are sorted by their left side. Each box is compared only with those boxes that start before its right
    side, so pairs that are far apart are skipped.
    """
    left, top, right, bottom = np.ascontiguousarray(corners[np.argsort(corners[:, 0], kind="stable")].T)
    areas = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
    parts = []
    for start in range(0, len(left), _TILE[0]):
        rows = slice(start, start + _TILE[0])
        end = int(np.searchsorted(left, right[rows].max(), side="left"))
        for begin in range(start, end, _TILE[1]):
            columns = slice(begin, min(begin + _TILE[1], end))
            shared = np.minimum(right[rows, None], right[columns]) - np.maximum(left[rows, None], left[columns])
            np.maximum(shared, 0.0, out=shared)
            height = np.minimum(bottom[rows, None], bottom[columns]) - np.maximum(top[rows, None], top[columns])
            shared *= np.maximum(height, 0.0, out=height)
            if begin == start:
                # count each pair once, and no box with itself
                shared = np.triu(shared, k=1)
            union = areas[rows, None] + areas[columns] - shared
            np.divide(shared, union, out=shared, where=union > 0)
            parts.append(float(shared.sum()))
    return math.fsum(parts)


def _iou(a: Floats, b: Floats) -> Floats:
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=-1)
    areas = np.prod(np.maximum(a[..., 2:] - a[..., :2], 0.0), axis=-1) + np.prod(
        np.maximum(b[..., 2:] - b[..., :2], 0.0), axis=-1
    )
    union = areas - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
