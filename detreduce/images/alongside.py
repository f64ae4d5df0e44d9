"""Compute a second result for frames of videos, so that each frame is decoded only once for both results."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detreduce.images.decode import RGB
from detreduce.images.job import ImageVectors


class Alongside(Protocol):
    """A second result for frames of videos: one vector per frame, which also decides whether the frame needs features.

    Attributes
    ----------
    vectors
        The vectors. For images that are not frames of videos, they count as filled from the start.
    """

    vectors: ImageVectors

    def prepare(self, row: int, data: bytes | RGB) -> npt.NDArray[Any]:
        """Return the (1, d) vector of a decoded frame, or an array without columns for an image that is not a frame."""

    def start(self) -> None:
        """Use the stored vectors of a former pass. They are filled before this call."""

    def needed(self, row: int, vector: npt.NDArray[Any]) -> bool:
        """Return whether a frame needs features. This is called for the frames of a video in their order."""

    def finish(self) -> None:
        """Decide again for all frames, now that all vectors are filled."""

    @property
    def left_out(self) -> Collection[int]:
        """The rows of the frames that need no features."""


def fill_left_out(alongside: Alongside, kinds: Collection[ImageVectors]) -> None:
    """Mark the other vectors of the frames that are left out as filled, so that they are not computed."""
    for row in alongside.left_out:
        for vectors in kinds:
            vectors.filled[vectors.starts[row] : vectors.starts[row + 1]] = True


def nothing_more(row: int, vector: npt.NDArray[Any], kinds: Collection[ImageVectors]) -> list[npt.NDArray[Any]]:
    """Return the arrays of a frame that is left out: an empty array for each of the `kinds`, followed by `vector`."""
    counts = [int(vectors.starts[row + 1] - vectors.starts[row]) for vectors in kinds]
    for vectors in kinds:
        vectors.filled[vectors.starts[row] : vectors.starts[row + 1]] = True
    return [*(np.empty((count, 0), np.float32) for count in counts), vector]
