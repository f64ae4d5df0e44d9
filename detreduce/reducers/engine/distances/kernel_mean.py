"""The maximum mean discrepancy between the kept objects and all objects.

It is the distance between the means of the kernel features of the two sets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers.engine.distances.kernels import FourierMap, kernel_features, median_distance
from detreduce.reducers.engine.pool import FloatArray, IntArray

EXACT_BOXES = 1000
"""The kernel is exact up to this number of boxes in total. For so few boxes, the error of 256 features would matter."""
SIGMA_SAMPLE = 2000
"""Number of objects that are used to determine the width of the kernel."""
BLOCK = 8192
UNIT = 2.0**-24
"""The largest relative rounding error of one float32 operation."""
Advance = Callable[[int], object]


class KernelMean:
    """The squared MMD (maximum mean discrepancy) between all objects and the objects in the kept images.

    All objects of one class in one image are represented by the mean of their vectors. Kernel features are vectors
    whose inner products equal the kernel. Let phi(S) be the mean of the kernel features of the objects in S. Then the
    squared MMD is |phi(all) - phi(kept)|^2.

    For up to `EXACT_BOXES` boxes, the kernel features are exact. For more boxes, random Fourier features approximate
    the Gaussian kernel.

    Parameters
    ----------
    table
        The object table, with vectors.
    content
        (n,) a number for each image, for example a hash. The width of the kernel is computed from the objects in the
        images with the smallest numbers.
    advance
        A function that is called with the number of images that were just processed.
    """

    def __init__(self, table: ObjectTable, content: FloatArray, advance: Advance = lambda _: None) -> None:
        assert table.vectors is not None
        self.boxes = np.bincount(table.images, table.counts, len(table))
        width, features_of = pair_features(table, content)
        starts = table.starts
        # store each image as a column, because inner products with columns are several times faster than with rows
        features = np.zeros((width, len(table)), np.float32)
        for first in range(0, len(table), BLOCK):
            last = min(first + BLOCK, len(table))
            pairs = slice(int(starts[first]), int(starts[last]))
            weighted = features_of(pairs) * table.counts[pairs, None]
            filled = np.flatnonzero(np.diff(starts[first : last + 1]))
            if len(filled):
                sums = np.add.reduceat(weighted, starts[first + filled] - pairs.start, axis=0)
                features[:, first + filled] = sums.T
            advance(last - first)
        mean = features.sum(axis=1, dtype=np.float64) / max(1.0, self.boxes.sum())
        # subtract the overall mean once for each box, so that the sums stay small
        self.excess = features
        for row, share in zip(features, mean, strict=True):
            row -= share * self.boxes
        self.squares = np.einsum("ij,ij->j", features, features, dtype=np.float64)
        self.lengths = np.sqrt(self.squares)
        self.longest, self.fewest = float(self.lengths.max()), float(self.boxes.min())
        self.sum = np.zeros(len(mean))
        self.kept = 0.0
        self.typical = float(self.boxes.mean())

    @property
    def value(self) -> float:
        """The squared MMD between all objects and the objects in the images kept so far."""
        return float(self.sum @ self.sum) / self.kept**2 if self.kept else float("nan")

    def keep(self, image: int) -> None:
        """Count an image as kept."""
        self.sum += self.excess[:, image]
        self.kept += self.boxes[image]

    def screen(self) -> FloatArray:
        """Return an approximation of the squared MMD after adding each image, (n,).

        All values have a common factor, so they can be compared with each other. `doubt` returns how wrong they can be.
        """
        values = (self.sum.astype(np.float32) @ self.excess).astype(np.float64)
        values *= 2.0
        values += self.squares
        values += float(self.sum @ self.sum)
        values *= self._factor(self.boxes)
        return values

    def doubt(self, images: IntArray) -> FloatArray:
        """Return the largest possible error of the value that `screen` returns for each of `images`."""
        return self._rounding() * self.lengths[images] * self._factor(self.boxes[images])

    def worst_doubt(self) -> float:
        """Return the largest possible error of `screen` over all images."""
        return self._rounding() * self.longest * float(self._factor(self.fewest))

    def _rounding(self) -> float:
        """Return the largest rounding error of `screen` for features of length 1.

        `doubt` multiplies this error by the length of the features.
        """
        return 4.0 * (len(self.sum) + 2) * UNIT * float(np.linalg.norm(self.sum))

    def exact(self, images: IntArray) -> tuple[FloatArray, float]:
        """Return the exact squared MMD after adding each of `images`, and the largest error of these values.

        The values have the same common factor as the values of `screen`.
        """
        summed = self.sum + self.excess[:, images].T
        return np.einsum("ij,ij->i", summed, summed) * self._factor(self.boxes[images]), 1e-11

    def _factor(self, boxes: Any) -> Any:
        """Return the factor that converts the squared length of the sum of features to a value of `screen`.

        `boxes` is the number of boxes in the added image.
        """
        return ((self.kept + self.typical) / np.maximum(self.kept + boxes, 1.0)) ** 2


def pair_features(table: ObjectTable, content: FloatArray) -> tuple[int, Callable[[slice], FloatArray]]:
    """Return the number of kernel features, and a function that computes them for a slice of (image, class) pairs."""
    vectors = table.vectors
    assert vectors is not None
    if len(vectors) and table.counts.sum() <= EXACT_BOXES:
        exact = kernel_features(vectors.astype(np.float64), *centre_and_width(table, content))
        return exact.shape[1], exact.__getitem__
    fourier = FourierMap.gaussian(*centre_and_width(table, content))
    return 2 * len(fourier.frequencies), lambda pairs: fourier(vectors[pairs].astype(np.float64))


def centre_and_width(table: ObjectTable, content: FloatArray) -> tuple[FloatArray, float]:
    """Return the mean vector of a sample of objects, and the median distance between these objects.

    The sample contains the objects in the images with the smallest numbers in `content`.
    """
    assert table.vectors is not None
    sample = np.argsort(content[table.images], kind="stable")[:SIGMA_SAMPLE]
    if not len(sample):
        return np.zeros(table.vectors.shape[1]), 1.0
    vectors = table.vectors[sample].astype(np.float64)
    return vectors.mean(axis=0), median_distance(CentredPoints.of(vectors), np.arange(len(vectors)))
