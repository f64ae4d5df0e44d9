"""The eight orientations of a picture (flips and quarter turns), for pixels and for cosine coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Orientation:
    """An orientation of a picture, as up to three steps, which are done in this order.

    Attributes
    ----------
    transpose
        Whether to swap rows and columns.
    flip_rows
        Whether to reverse the order of the rows.
    flip_columns
        Whether to reverse the order of the columns.
    words
        A description of the result, for example ``mirrored``.
    """

    transpose: bool
    flip_rows: bool
    flip_columns: bool
    words: str

    def apply(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an image (h, w, ...) in this orientation, as a C-contiguous array."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        if self.flip_rows:
            image = image[::-1]
        if self.flip_columns:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)

    @property
    def inverse(self) -> Orientation:
        """The orientation that undoes this one."""
        rows, columns = self.flip_rows, self.flip_columns
        return _OF[self.transpose, columns, rows] if self.transpose else self

    def on_coefficients(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> tuple[Any, Any]:
        """Return how to apply this orientation to cosine coefficients, as two arrays (places, signs).

        If `c` are the coefficients of a square picture, ``c[places] * signs`` are the coefficients of the picture in
        this orientation. `rows` and `columns` contain the frequencies (u, v) of the coefficients. For each (u, v), they
        must also contain (v, u).
        """
        pairs = list(zip(rows.tolist(), columns.tolist(), strict=True))
        order = {pair: place for place, pair in enumerate(pairs)}
        places = np.array([order[(v, u) if self.transpose else (u, v)] for u, v in pairs])
        odd = rows * self.flip_rows + columns * self.flip_columns
        return places, np.where(odd % 2, -1.0, 1.0).astype(np.float32)


ORIENTATIONS = (
    Orientation(False, False, False, "same way up"),
    Orientation(False, False, True, "mirrored"),
    Orientation(False, True, False, "mirrored top to bottom"),
    Orientation(False, True, True, "turned by 180 degrees"),
    Orientation(True, False, True, "turned by 90 degrees clockwise"),
    Orientation(True, True, False, "turned by 90 degrees counter-clockwise"),
    Orientation(True, False, False, "mirrored and turned by 90 degrees counter-clockwise"),
    Orientation(True, True, True, "mirrored and turned by 90 degrees clockwise"),
)
_OF = {(item.transpose, item.flip_rows, item.flip_columns): item for item in ORIENTATIONS}
