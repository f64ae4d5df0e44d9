"""Compute box sizes and count small, medium and large boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIZES = ("small", "medium", "large", "unknown")
"""The size classes of boxes."""
SMALL_AREA, LARGE_AREA = 32 * 32, 96 * 96
"""COCO's bounds in square pixels. Boxes below the first are small. Boxes at or above the second are large."""
SMALL_SHARE, LARGE_SHARE = SMALL_AREA / (640 * 480), LARGE_AREA / (640 * 480)
"""COCO's bounds as fractions of a 640 x 480 image (1/300 and 3/100), for boxes that are fractions of the image."""
DIGITS = 9
"""Decimals to which the sides and sizes of boxes are rounded, so that equal boxes at different positions have equal
sizes.
"""
AT_EDGE = 1e-6
"""A box that reaches past an image's edge by less than this counts as ending there, because annotation files round
numbers.
"""
FARTHEST = 1e15
"""Coordinates are clipped to this value. Larger numbers cannot be rounded to `DIGITS` decimals, and may overflow."""

Floats = npt.NDArray[np.float64]


def inside_sides(boxes: Floats, box_format: str, images: Floats) -> Floats:
    """Return (B, 2) width and height of the part of each box that is inside its image, in the units of `boxes`.

    `boxes` (B, 4) are in `box_format`. `images` (B, 2) are the width and height of each box's image in pixels, or 1 if
    boxes are fractions. If an image's size is NaN, its boxes are not cut at the right and bottom edges.
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
    """Return (B,) sqrt(box area / image area), from the (B, 2) sides that `inside_sides` returns.

    The result is NaN if the image's size is NaN.
    """
    return np.sqrt((sides / images).prod(axis=1)).round(DIGITS)


def count_sizes(sides: Floats) -> dict[str, int]:
    """Count the small, medium and large boxes by COCO's bounds. `sides` (B, 2) are in pixels."""
    found = np.digitize(sides.prod(axis=1).round(DIGITS), (SMALL_AREA, LARGE_AREA))
    return dict(zip(SIZES, np.bincount(found, minlength=3).tolist(), strict=False))
