"""A stream that is ready for a training: it has the weight or the position of each image file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.training.evaluation.ground_truth import file_key
from detreduce.training.streams.draw import Draws, FloatArray, GrowingDraws, IntArray, WeightedDraws
from detreduce.training.streams.stream import Stream


@dataclass(frozen=True)
class StreamPlan:
    """The weights or the order of the images in a dataset, and the row of each image file.

    Ultralytics leaves out corrupt images and may sort the others, so images are identified by their files.

    Attributes
    ----------
    stream
        The options of the stream.
    rows
        `file_key` of an image file -> row in the dataset.
    weights
        (n,) float64: the weight of each row. None if the stream has an order instead.
    order
        (n,) int64: the rows, in the order of the stream. None if the stream has weights instead.
    """

    stream: Stream
    rows: Mapping[str, int]
    weights: FloatArray | None = None
    order: IntArray | None = None

    def draws(self, files: Sequence[str], total: int, seed: int) -> Draws:
        """Return a stream of positions in `files`. `total` is the number of draws of the whole training.

        Raise InputError if a file is not an image of the dataset, or if all files have the weight 0.
        """
        rows = self._rows_of(files)
        if self.order is not None:
            rank = np.empty(len(self.order), np.int64)
            rank[self.order] = np.arange(len(self.order))
            order = np.argsort(rank[rows], kind="stable")
            return GrowingDraws(order, total, self.stream.start, self.stream.end, seed)
        assert self.weights is not None
        weights = self.weights[rows]
        if not weights.any():
            raise InputError(f"All {len(files)} images of the training have weight 0. Give some of them a weight.")
        return WeightedDraws(weights, seed)

    def _rows_of(self, files: Sequence[str]) -> IntArray:
        """Return the (m,) rows of image files. Raise InputError if a file is not an image of the dataset."""
        unknown = [file for file in files if file_key(file) not in self.rows]
        if unknown:
            raise InputError(
                f"The stream {self.stream.by} has no weight for {counted(len(unknown), 'image')} of the "
                "training, for instance "
                f"{unknown[0]}. Give the images different names that do not start with a dot."
            )
        return np.array([self.rows[file_key(file)] for file in files], np.int64)
