"""Collect the boxes of a dataset in a few large arrays, without a Python object for each box."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class BoxArrays(NamedTuple):
    """The read-only arrays of one image: boxes (m, 4) float64, class ids (m,) int64 and crowd flags (m,) bool."""

    boxes: npt.NDArray[np.float64]
    class_ids: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]


class BoxCollector:
    """Collects boxes: `add` takes the boxes of the next image, and `arrays` returns the arrays of all images."""

    def __init__(self) -> None:
        self._ends = array("q", [0])
        self._boxes, self._classes, self._crowd = array("d"), array("q"), array("B")

    def add(
        self, boxes: Sequence[Sequence[float]], classes: Sequence[int], crowd: Sequence[bool] | None = None
    ) -> None:
        """Add the boxes of the next image. `crowd` marks crowd regions with True; by default, there are none."""
        for box in boxes:
            self._boxes.extend(box)
        self._classes.extend(classes)
        self._crowd.extend(map(bool, crowd) if crowd is not None else bytes(len(classes)))
        self._ends.append(len(self._classes))

    def add_images(
        self, boxes: npt.NDArray[np.float64], classes: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]
    ) -> None:
        """Add the boxes of several images, without crowd regions.

        The boxes of the i-th image are the rows ``starts[i]:starts[i + 1]`` of (B, 4) `boxes` and (B,) `classes`.
        """
        before = len(self._classes) - int(starts[0])
        part = slice(int(starts[0]), int(starts[-1]))
        self._boxes.frombytes(np.ascontiguousarray(boxes[part], np.float64).tobytes())
        self._classes.frombytes(np.ascontiguousarray(classes[part], np.int64).tobytes())
        self._crowd.frombytes(bytes(part.stop - part.start))
        self._ends.frombytes((starts[1:] + before).astype(np.int64).tobytes())

    def arrays(self) -> list[BoxArrays]:
        """Return the arrays of each image, in the order in which the images were added."""
        boxes = np.frombuffer(self._boxes, np.float64).reshape(-1, 4) if self._boxes else np.empty((0, 4))
        classes = np.frombuffer(self._classes, np.int64) if self._classes else np.empty(0, np.int64)
        crowd = np.frombuffer(self._crowd, np.bool_) if self._crowd else np.empty(0, np.bool_)
        for column in (boxes, classes, crowd):
            column.setflags(write=False)
        return [
            BoxArrays(boxes[start:end], classes[start:end], crowd[start:end]) for start, end in pairwise(self._ends)
        ]
