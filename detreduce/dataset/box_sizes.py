"""Compute the sizes of boxes, and count small, medium and large boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIZES = ("small", "medium", "large", "unknown")
"""The names of the size classes."""
SMALL_AREA, LARGE_AREA = 32 * 32, 96 * 96
"""COCO's bounds between small and medium, and between medium and large boxes, in square pixels.

A box whose area equals a bound belongs to the larger class.
"""
SMALL_SHARE, LARGE_SHARE = SMALL_AREA / (640 * 480), LARGE_AREA / (640 * 480)
"""COCO's bounds as fractions of an image of 640 x 480 pixels (1/300 and 3/100), for boxes given as fractions."""
DIGITS = 9
"""The number of decimals to which sides and sizes of boxes are rounded.

Because of the rounding, equal boxes at different positions have equal sizes.
"""
AT_EDGE = 1e-6
"""A box that extends beyond the edge of its image by at most this much counts as ending at the edge.

The reason is that annotation files contain rounded numbers.
"""
FARTHEST = 1e15
"""Coordinates are clipped to this value. Larger numbers cannot be rounded to `DIGITS` decimals, and might overflow."""

Floats = npt.NDArray[np.float64]


def inside_sides(boxes: Floats, box_format: str, images: Floats) -> Floats:
    """Cut each box off at the edges of its image, and return the remaining width and height, (B, 2).

    The result has the units of `boxes`.

    Parameters
    ----------
    boxes
        (B, 4) boxes in the format `box_format`.
    box_format
        One of ``xyxy``, ``xywh`` and ``cxcywhn``.
    images
        (B, 2) width and height of each box's image, in pixels. If boxes are fractions of the image, both are 1. If the
        size of an image is NaN, its boxes are not cut off at the right and bottom edges.
    """
    boxes = boxes.clip(-FARTHEST, FARTHEST)
    first, sides = boxes[:, :2], boxes[:, 2:]
    if box_format == "cxcywhn":
        first = first - sides / 2
    elif box_format == "xyxy":
        sides = sides - first
    outside = np.maximum(-first, 0.0) + np.fmax(first + sides - images, 0.0)
    outside[outside <= AT_EDGE] = 0.0
    return np.maximum(sides - outside, 0.0).round(DIGITS)


def relative_sizes(sides: Floats, images: Floats) -> Floats:
    """Return the size of each box, sqrt(box area / image area), as a (B,) array.

    `sides` (B, 2) is the result of `inside_sides`. If the size of the image is NaN, the result is NaN too.
    """
    return np.sqrt((sides / images).prod(axis=1)).round(DIGITS)


def count_sizes(sides: Floats) -> dict[str, int]:
    """Count the small, medium and large boxes by COCO's bounds. `sides` (B, 2) must be in pixels."""
    found = np.digitize(sides.prod(axis=1).round(DIGITS), (SMALL_AREA, LARGE_AREA))
    return dict(zip(SIZES, np.bincount(found, minlength=3).tolist(), strict=False))
