"""A second result for frames of videos, from the same decoded pixels as the first result."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from detreduce.images.decode import RGB
from detreduce.images.job import ImageVectors


class Alongside(Protocol):
    """Vectors of frames that are made in the pass over a video, and that say for which frames the pass has more to do.

    Attributes
    ----------
    vectors
        The vectors. Those of images that are not frames are filled already.
    """

    vectors: ImageVectors

    def prepare(self, row: int, data: bytes | RGB) -> npt.NDArray[Any]:
        """Return the (1, d) vector of a decoded frame. Return an array without columns for another image."""

    def start(self) -> None:
        """Use the vectors of a former pass, which are filled now."""

    def needed(self, row: int, vector: npt.NDArray[Any]) -> bool:
        """Return whether the pass has more to do for a frame. The rows of a video come in the order of its frames."""

    def finish(self) -> None:
        """Decide again for all frames, now that all vectors are filled."""

    @property
    def left_out(self) -> Collection[int]:
        """The rows of frames for which there is nothing more to do."""


def fill_left_out(alongside: Alongside, kinds: Collection[ImageVectors]) -> None:
    """Mark the other vectors of the frames that are left out as filled, so that they are not computed."""
    for row in alongside.left_out:
        for vectors in kinds:
            vectors.filled[vectors.starts[row] : vectors.starts[row + 1]] = True


def nothing_more(row: int, vector: npt.NDArray[Any], kinds: Collection[ImageVectors]) -> list[npt.NDArray[Any]]:
    """Return the arrays of a frame that is left out: its own vector last, and empty arrays for the other `kinds`."""
    counts = [int(vectors.starts[row + 1] - vectors.starts[row]) for vectors in kinds]
    for vectors in kinds:
        vectors.filled[vectors.starts[row] : vectors.starts[row + 1]] = True
    return [*(np.empty((count, 0), np.float32) for count in counts), vector]
