"""Collect the boxes of a dataset in a few large arrays, instead of three small arrays for each image."""

from __future__ import annotations

from collections.abc import Sequence
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
        self._ends = [0]
        self._boxes: list[Sequence[float]] = []
        self._classes: list[int] = []
        self._crowd: list[bool] = []

    def add(
        self, boxes: Sequence[Sequence[float]], classes: Sequence[int], crowd: Sequence[bool] | None = None
    ) -> None:
        """Add the boxes of the next image. `crowd` marks crowd regions with True; by default, there are none."""
        self._boxes.extend(boxes)
        self._classes.extend(classes)
        self._crowd.extend(crowd if crowd is not None else [False] * len(classes))
        self._ends.append(len(self._classes))

    def arrays(self) -> list[BoxArrays]:
        """Return the arrays of each image, in the order in which the images were added."""
        boxes = np.array(self._boxes, np.float64).reshape(-1, 4)
        classes = np.array(self._classes, np.int64)
        crowd = np.array(self._crowd, np.bool_)
        for column in (boxes, classes, crowd):
            column.setflags(write=False)
        pairs = zip(self._ends[:-1], self._ends[1:], strict=True)
        return [BoxArrays(boxes[start:end], classes[start:end], crowd[start:end]) for start, end in pairs]
