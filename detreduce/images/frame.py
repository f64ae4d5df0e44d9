"""The position of a picture inside a larger array, used to convert the coordinates of boxes."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

# the EXIF orientations that swap the axes, that mirror the picture along x, and that mirror it along y
_TURNED = (5, 6, 7, 8)
_MIRRORED_X = (2, 3, 6, 7)
_MIRRORED_Y = (3, 4, 7, 8)


@dataclass(frozen=True, slots=True)
class Frame:
    """The edges of a picture inside an array, as fractions of the array's width and height.

    Pixel i extends from i to i + 1, so bilinear resizing does not move the edges.
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def place(self, boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert (B, 4) boxes x1, y1, x2, y2 from fractions of the picture to fractions of the array."""
        origin = np.array([self.left, self.top] * 2)
        size = np.array([self.right - self.left, self.bottom - self.top] * 2)
        return origin + np.asarray(boxes, np.float64) * size

    def back(self, boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert (B, 4) boxes x1, y1, x2, y2 from fractions of the array to fractions of the picture."""
        origin = np.array([self.left, self.top] * 2)
        size = np.array([self.right - self.left, self.bottom - self.top] * 2)
        return (np.asarray(boxes, np.float64) - origin) / size

    def inside(self, outer: Frame) -> Frame:
        """Return where the picture is in a larger array.

        `outer` is the position of this frame's array in the larger one.
        """
        return Frame(*outer.place(astuple(self)).tolist())


WHOLE = Frame()


def reduced_frame(width: int, height: int, divisor: int, orientation: int) -> Frame:
    """Return the frame of a JPEG that was decoded at 1/`divisor` of its size and rotated by its EXIF orientation.

    `width` and `height` are the full size of the JPEG in pixels. For example, a width of 1,001 pixels at 1/2 gives 501
    columns, and only half of the last column belongs to the picture.
    """
    right, bottom = (side / (divisor * -(-side // divisor)) for side in (width, height))
    if orientation in _TURNED:
        right, bottom = bottom, right
    left, right = (1 - right, 1.0) if orientation in _MIRRORED_X else (0.0, right)
    top, bottom = (1 - bottom, 1.0) if orientation in _MIRRORED_Y else (0.0, bottom)
    return Frame(left, top, right, bottom)
