"""ObjectTable: for each image and each class in it, the number of boxes and their mean feature vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ObjectTable:
    """A sparse table with one entry per (image, class) pair.

    A pair is all boxes of one class in one image.

    The pairs are sorted by image, then by class. Only pairs with at least one box have an entry, so there are m <=
    n_images * n_classes pairs.

    Attributes
    ----------
    n_images
        Number of images, including images without boxes.
    n_classes
        Number of classes, including classes without boxes.
    images
        (m,) int64: row of each pair's image.
    classes
        (m,) int64: class number of each pair.
    counts
        (m,) int64: number of boxes in each pair, at least 1. Crowd regions do not count.
    vectors
        (m, d) float32 or float16: mean feature vector of each pair's boxes, or None if only the labels were read.
    size_counts
        (m, s) int64: number of each pair's boxes in each of s size classes. Each row adds up to the pair's count. None
        if the boxes were not counted by size.

    Raises
    ------
    InputError
        The arrays have different lengths, a number is out of range, or the pairs are not sorted or not unique.
    """

    n_images: int
    n_classes: int
    images: IntArray
    classes: IntArray
    counts: IntArray
    vectors: npt.NDArray[np.floating] | None = None
    size_counts: IntArray | None = None

    def __post_init__(self) -> None:
        m = len(self.images)
        if len(self.classes) != m or len(self.counts) != m:
            raise InputError("The images, classes and counts of an ObjectTable must have the same length.")
        for name, values, size in (
            ("images", self.images, self.n_images),
            ("classes", self.classes, self.n_classes),
        ):
            if m and (values.min() < 0 or values.max() >= size):
                raise InputError(f"The {name} of an ObjectTable must be numbers from 0 to {size - 1}.")
        key = self.images * self.n_classes + self.classes
        if (key[1:] <= key[:-1]).any():
            raise InputError(
                "The (image, class) pairs of an ObjectTable must be unique, and sorted by image, then by class."
            )

    def __len__(self) -> int:
        """Return the number of images, including images without boxes."""
        return self.n_images

    @cached_property
    def starts(self) -> IntArray:
        """(n_images + 1,) int64: the pairs of image i are the slice ``starts[i]:starts[i + 1]`` of each array."""
        return np.searchsorted(self.images, np.arange(self.n_images + 1)).astype(np.int64)

    @classmethod
    def from_boxes(
        cls,
        box_images: npt.ArrayLike,
        box_classes: npt.ArrayLike,
        n_images: int,
        n_classes: int,
        *,
        vectors: npt.NDArray[np.floating] | None = None,
        box_sizes: npt.ArrayLike | None = None,
        n_sizes: int = 0,
    ) -> ObjectTable:
        """Build the table from a list of boxes.

        Parameters
        ----------
        box_images
            (B,) row of each box's image.
        box_classes
            (B,) class number of each box.
        n_images
            Number of images, including images without boxes.
        n_classes
            Number of classes, including classes without boxes.
        vectors
            (B, d) feature vector of each box. The table stores the mean of the vectors of each pair.
        box_sizes
            (B,) size class of each box, from 0 to n_sizes - 1.
        n_sizes
            Number of size classes.
        """
        image = np.asarray(box_images, np.int64)
        kind = np.asarray(box_classes, np.int64)
        keys, pair, counts = np.unique(image * n_classes + kind, return_inverse=True, return_counts=True)
        means = None
        if vectors is not None:
            from scipy.sparse import csr_matrix

            weights = csr_matrix((1.0 / counts[pair], (pair, np.arange(len(pair)))), shape=(len(keys), len(pair)))
            means = np.asarray(weights @ vectors, np.float32)
        sizes = None
        if box_sizes is not None:
            flat = np.bincount(pair * n_sizes + np.asarray(box_sizes, np.int64), minlength=len(keys) * n_sizes)
            sizes = flat.reshape(len(keys), n_sizes).astype(np.int64)
        return cls(n_images, n_classes, keys // n_classes, keys % n_classes, counts.astype(np.int64), means, sizes)

    def take(self, rows: npt.ArrayLike) -> ObjectTable:
        """Return the table of the images in `rows`, in the order of `rows`. The images are renumbered from 0."""
        wanted = np.asarray(rows, np.int64)
        places, owners = self.pairs_of(wanted)
        return ObjectTable(
            len(wanted),
            self.n_classes,
            owners,
            self.classes[places],
            self.counts[places],
            None if self.vectors is None else self.vectors[places],
            None if self.size_counts is None else self.size_counts[places],
        )

    def pairs_of(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Return the numbers of the pairs of the images in `rows`, and for each pair the position of its image in
        `rows`.
        """
        first = self.starts[rows]
        lengths = self.starts[rows + 1] - first
        owners = np.repeat(np.arange(len(rows), dtype=np.int64), lengths)
        return np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum()), owners
