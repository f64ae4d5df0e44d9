"""The size of a box: one definition for every count, histogram and table of box sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIZES = ("small", "medium", "large", "unknown")
"""Size classes."""
SMALL_AREA, LARGE_AREA = 32 * 32, 96 * 96
"""COCO's bounds, in square pixels: below the first a box is small, from the second on it is large."""
SMALL_SHARE, LARGE_SHARE = SMALL_AREA / (640 * 480), LARGE_AREA / (640 * 480)
"""The same bounds as shares of an image of COCO's usual size, for boxes without pixels: 1/300 and 3/100."""
DIGITS = 9
"""Decimals of sides and sizes. Without rounding, equal boxes differ by where they lie."""
AT_EDGE = 1e-6
"""Annotation files round to six decimals: a box that reaches less than this beyond the edge ends at the edge."""

Floats = npt.NDArray[np.float64]


def inside_sides(boxes: Floats, box_format: str, images: Floats) -> Floats:
    """Return (B, 2) width and height of the part of each box inside its image, in the units of the annotations.

    `boxes` (B, 4) are as stored, `images` (B, 2) the width and height of each box's image: pixels, or 1 where boxes are
    fractions. Where these are NaN, nothing is cut off at the right and the bottom.
    """
    first, sides = boxes[:, :2], boxes[:, 2:]
    if box_format == "cxcywhn":
        first = first - sides / 2
    elif box_format == "xyxy":
        sides = sides - first
    outside = np.maximum(-first, 0.0) + np.fmax(first + sides - images, 0.0)
    outside[outside <= AT_EDGE] = 0.0
    return np.maximum(sides - outside, 0.0).round(DIGITS)


def relative_sizes(boxes: Floats, box_format: str, images: Floats) -> Floats:
    """Return (B,) sqrt(box area / image area), the part inside the image; NaN where its size is. See `inside_sides`."""
    return np.sqrt((inside_sides(boxes, box_format, images) / images).prod(axis=1)).round(DIGITS)


def count_sizes(sides: Floats) -> dict[str, int]:
    """Count small, medium and large boxes by COCO's bounds; `sides` (B, 2) are in pixels."""
    found = np.digitize(sides.prod(axis=1).round(DIGITS), (SMALL_AREA, LARGE_AREA))
    return dict(zip(SIZES, np.bincount(found, minlength=3).tolist(), strict=False))
