"""Descriptions of invalid boxes, which the readers of all formats share."""

from __future__ import annotations

from collections.abc import Sequence

# ultralytics skips the whole image if a value of a label is outside [0, 1] by more than this (verify_image_label,
# version 8.4)
TOLERANCE = 0.01
DROPPED = "ultralytics will leave out the whole image"
UNREADABLE = "conversion and training leave out the image"
KEPT = "ultralytics uses the image"


def outside_unit(values: Sequence[float], checked: Sequence[float]) -> str | None:
    """Return a description of coordinates outside [0, 1], or None if all of them are inside.

    `values` are all coordinates in a line of labels. `checked` are those coordinates that ultralytics checks.
    """
    low, high = min(values), max(values)
    if low >= 0.0 and high <= 1.0:
        return None
    worst = high if high - 1.0 >= -low else low
    dropped = max(checked) > 1.0 + TOLERANCE or min(checked) < -TOLERANCE
    after = DROPPED if dropped else "ultralytics accepts the value"
    return f"coordinate {worst:g} is outside [0, 1]; {after}"


def outside_image(x1: float, y1: float, x2: float, y2: float, width: float, height: float) -> str | None:
    """Return a description of a box that extends more than one pixel beyond the image, or None for any other box."""
    if x1 >= -1.0 and y1 >= -1.0 and x2 <= width + 1.0 and y2 <= height + 1.0:
        return None
    return f"box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) reaches past the image ({width:g} x {height:g})"


def bad_extent(width: float, height: float) -> tuple[str, bool] | None:
    """Return a description of a box without area, and whether the box can be used. Return None for any other box.

    A box with a negative width or height cannot be used.
    """
    if width > 0.0 and height > 0.0:
        return None
    if width < 0.0 or height < 0.0:
        return f"negative box size {width:g} x {height:g}; the box is left out", False
    return f"zero-area box ({width:g} x {height:g}); kept, but a detector cannot learn it", True


def duplicate(of: str, removed_by_ultralytics: bool = False) -> str:
    """Return a description of a box that is identical to an earlier one.

    `of` is what the message calls the earlier box.
    """
    return f"identical to {of}" + ("; ultralytics will remove the box" if removed_by_ultralytics else "")
