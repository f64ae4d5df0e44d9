"""Sparse tables with the number of boxes of each class in each image.

The tables are sparse because most images have boxes of only a few classes. A dense table of 20,000 images and 50,000
classes would need 4 GB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

IntArray = npt.NDArray[np.int64]


def count_boxes(images: npt.ArrayLike, classes: npt.ArrayLike, shape: tuple[int, int]) -> csr_array:
    """Count the boxes of each class in each image.

    Parameters
    ----------
    images
        (B,) row of the image of each box, from 0 to n - 1.
    classes
        (B,) class number of each box, from 0 to C - 1.
    shape
        (n, C): the number of images and the number of classes.

    Returns
    -------
    scipy.sparse.csr_array
        (n, C) int32, with an entry only where an image has boxes of a class.
    """
    from scipy.sparse import coo_array

    rows, columns = np.asarray(images, np.int64), np.asarray(classes, np.int64)
    table = coo_array((np.ones(len(rows), np.int32), (rows, columns)), shape=shape).tocsr()
    table.sum_duplicates()
    return table


def as_sparse(counts: Any) -> csr_array:
    """Convert a dense or sparse (n, C) table to a csr_array without explicit zeros, sorted by class within each row."""
    from scipy.sparse import csr_array, issparse

    table = csr_array(counts if issparse(counts) else np.asarray(counts))
    if not table.has_canonical_format or not table.data.all():
        table = table.copy()
        table.sum_duplicates()
        table.eliminate_zeros()
    return table


def boxes_of_classes(counts: csr_array) -> IntArray:
    """Return the (C,) number of boxes of each class in an (n, C) table."""
    return np.asarray(counts.sum(axis=0, dtype=np.int64))


def boxes_of_images(counts: csr_array) -> IntArray:
    """Return the (n,) number of boxes in each image of an (n, C) table."""
    return np.asarray(counts.sum(axis=1, dtype=np.int64))


def images_of_classes(counts: csr_array) -> IntArray:
    """Return the (C,) number of images that contain each class.

    `counts` is an (n, C) table without explicit zeros, as `as_sparse` returns it.
    """
    return np.bincount(counts.indices, minlength=counts.shape[1]).astype(np.int64)


def rows_of_entries(counts: csr_array) -> IntArray:
    """Return the row of each stored entry of the table, (m,).

    The entries are in the order of ``counts.indices`` and ``counts.data``.
    """
    return np.repeat(np.arange(counts.shape[0], dtype=np.int64), np.diff(counts.indptr))


def entries_of_image(counts: csr_array, row: int) -> tuple[IntArray, IntArray]:
    """Return the classes of an image and the number of boxes of each class, sorted from most to fewest boxes.

    Classes with the same number of boxes are sorted by their class number.
    """
    entries = slice(int(counts.indptr[row]), int(counts.indptr[row + 1]))
    classes, boxes = counts.indices[entries], counts.data[entries]
    order = np.argsort(-boxes, kind="stable")
    return classes[order].astype(np.int64), boxes[order].astype(np.int64)


def leading_classes(counts: csr_array, rank: npt.ArrayLike | None = None, *, by_boxes: bool = True) -> IntArray:
    """Return the leading class of each image, (n,), or -1 for an image without boxes.

    Parameters
    ----------
    counts
        (n, C) table without explicit zeros, as `as_sparse` returns it.
    rank
        (C,) rank of each class. The lowest rank comes first. The default is the class number.
    by_boxes
        If True, the leading class of an image is the class with the most boxes. If several classes have equally many
        boxes, the class with the lowest rank leads. If False, only the rank counts.
    """
    rows, classes = rows_of_entries(counts), counts.indices
    places = classes if rank is None else np.asarray(rank)[classes]
    keys = (places, -counts.data.astype(np.int64), rows) if by_boxes else (places, rows)
    order = np.lexsort(keys)
    leading = np.full(counts.shape[0], -1, np.int64)
    filled = np.diff(counts.indptr) > 0
    leading[filled] = classes[order[counts.indptr[:-1][filled]]]
    return leading
