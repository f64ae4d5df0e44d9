"""Add a labelled box in pixels to its image, and describe what is wrong with the box."""

from __future__ import annotations

from typing import Protocol

from detreduce.dataset.reading.box_problems import bad_extent, duplicate, outside_image

Box = tuple[float, float, float, float]


class LabelledImage(Protocol):
    """The boxes and the size of an image, as its annotations give them.

    Attributes
    ----------
    boxes, labels
        The usable boxes (x1, y1, x2, y2) in pixels, and the label of each box.
    width, height
        The size in pixels, or None if the annotations do not give it.
    """

    boxes: list[Box]
    labels: list[str]
    width: int | None
    height: int | None


def add_box(image: LabelledImage, label: str, box: Box, entry: str, seen: dict[tuple[str, Box], str]) -> list[str]:
    """Add a box to its image. Return descriptions of what is wrong with the box.

    A box with a negative width or height is not added. `entry` is the name of the box in messages, for example
    ``object 3``. `seen` maps each earlier (label, box) of the image to its name in messages. The new box is added to
    `seen`.
    """
    extent = bad_extent(box[2] - box[0], box[3] - box[1])
    if extent is not None and not extent[1]:
        return [extent[0]]
    found = [] if extent is None else [extent[0]]
    if image.width is not None and image.height is not None:
        outside = outside_image(*box, image.width, image.height)
        found += [outside] if outside else []
    if (label, box) in seen:
        found.append(duplicate(seen[label, box]))
    seen.setdefault((label, box), entry)
    image.boxes.append(box)
    image.labels.append(label)
    return found
