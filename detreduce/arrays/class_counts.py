"""The number of boxes of each class in each image, as a sparse table.

The memory of the table grows with the number of boxes. A dense table of 20,000 images and 50,000 classes needs 4 GB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

IntArray = npt.NDArray[np.int64]


def count_boxes(images: npt.ArrayLike, classes: npt.ArrayLike, shape: tuple[int, int]) -> csr_array:
    """Return the (n, C) int32 table of some boxes.

    Parameters
    ----------
    images
        (B,) image number of each box, in 0..n-1.
    classes
        (B,) class number of each box, in 0..C-1.
    shape
        (n, C): number of images and number of classes.
    """
    from scipy.sparse import coo_array

    rows, columns = np.asarray(images, np.int64), np.asarray(classes, np.int64)
    table = coo_array((np.ones(len(rows), np.int32), (rows, columns)), shape=shape).tocsr()
    table.sum_duplicates()
    return table


def as_sparse(counts: Any) -> csr_array:
    """Return an (n, C) table, dense or sparse, as a csr_array whose entries are all nonzero and sorted in each row."""
    from scipy.sparse import csr_array, issparse

    table = csr_array(counts if issparse(counts) else np.asarray(counts))
    if not table.has_canonical_format or not table.data.all():
        table = table.copy()
        table.sum_duplicates()
        table.eliminate_zeros()
    return table


def boxes_of_classes(counts: csr_array) -> IntArray:
    """Return (C,): the number of boxes of each class. `counts` is (n, C)."""
    return np.asarray(counts.sum(axis=0, dtype=np.int64))


def boxes_of_images(counts: csr_array) -> IntArray:
    """Return (n,): the number of boxes in each image. `counts` is (n, C)."""
    return np.asarray(counts.sum(axis=1, dtype=np.int64))


def images_of_classes(counts: csr_array) -> IntArray:
    """Return (C,): the number of images that have each class. `counts` is (n, C) without entries of 0."""
    return np.bincount(counts.indices, minlength=counts.shape[1]).astype(np.int64)


def rows_of_entries(counts: csr_array) -> IntArray:
    """Return (m,): the image of each entry of the table, in the order of ``counts.indices`` and ``counts.data``."""
    return np.repeat(np.arange(counts.shape[0], dtype=np.int64), np.diff(counts.indptr))


def entries_of_image(counts: csr_array, row: int) -> tuple[IntArray, IntArray]:
    """Return the classes in an image and their numbers of boxes, the class with the most boxes first.

    Classes with the same number of boxes are in the order of their class numbers.
    """
    entries = slice(int(counts.indptr[row]), int(counts.indptr[row + 1]))
    classes, boxes = counts.indices[entries], counts.data[entries]
    order = np.argsort(-boxes, kind="stable")
    return classes[order].astype(np.int64), boxes[order].astype(np.int64)


def leading_classes(counts: csr_array, rank: npt.ArrayLike | None = None, *, by_boxes: bool = True) -> IntArray:
    """Return (n,): one class for each image, or -1 for an image without boxes.

    Parameters
    ----------
    counts
        (n, C) table without entries of 0.
    rank
        (C,) place of each class in an order. Default: the order of the class numbers.
    by_boxes
        True: the class with the most boxes; for equal numbers of boxes, the class that is first in the order. False:
        the class of the image that is first in the order.
    """
    rows, classes = rows_of_entries(counts), counts.indices
    places = classes if rank is None else np.asarray(rank)[classes]
    keys = (places, -counts.data.astype(np.int64), rows) if by_boxes else (places, rows)
    order = np.lexsort(keys)
    leading = np.full(counts.shape[0], -1, np.int64)
    filled = np.diff(counts.indptr) > 0
    leading[filled] = classes[order[counts.indptr[:-1][filled]]]
    return leading
