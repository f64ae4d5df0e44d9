"""The interface for a second vector of each video frame, computed in the same pass as the features.

Each frame is decoded only once for both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detreduce.images.decode import RGB
from detreduce.images.job import ImageVectors


class Alongside(Protocol):
    """Computes a second vector for each frame of a video, and decides which frames need features.

    Attributes
    ----------
    vectors
        The second vectors. Images that are not frames of videos have no second vector, and count as filled from the
        start.
    """

    vectors: ImageVectors

    def prepare(self, row: int, data: bytes | RGB) -> npt.NDArray[Any]:
        """Return the (1, d) vector of a decoded frame. If the image is not a frame, return an array without columns."""

    def start(self) -> None:
        """Begin with the vectors that the store contains. They are in `vectors` before this call."""

    def needed(self, row: int, vector: npt.NDArray[Any]) -> bool:
        """Return whether a frame needs features. This is called for the frames of a video in their order."""

    def finish(self, failures: Mapping[int, str]) -> None:
        """Decide again for all frames, now that all vectors are filled.

        `failures` contains the reason why an image could not be read, keyed by its row.
        """

    @property
    def left_out(self) -> Collection[int]:
        """The rows of the frames that need no features."""


def fill_left_out(alongside: Alongside, kinds: Collection[ImageVectors]) -> None:
    """Mark the vectors in `kinds` as filled for all frames that `alongside` leaves out. Then they are not computed."""
    for row in alongside.left_out:
        for vectors in kinds:
            vectors.filled[vectors.starts[row] : vectors.starts[row + 1]] = True


def nothing_more(row: int, vector: npt.NDArray[Any], kinds: Collection[ImageVectors]) -> list[npt.NDArray[Any]]:
    """Return the arrays of a frame that is left out, and mark its vectors in `kinds` as filled.

    The result has an empty array for each of the `kinds`, followed by `vector`.
    """
    counts = [int(vectors.starts[row + 1] - vectors.starts[row]) for vectors in kinds]
    for vectors in kinds:
        vectors.filled[vectors.starts[row] : vectors.starts[row + 1]] = True
    return [*(np.empty((count, 0), np.float32) for count in counts), vector]
