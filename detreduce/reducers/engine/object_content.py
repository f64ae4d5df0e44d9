"""What an image holds by its table of objects, in a form that can be compared."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers.engine.pool import FloatArray, IntArray


def image_starts(table: ObjectTable) -> IntArray:
    """Return (n + 1,) where the pairs of each image start in the table, and where they end."""
    return np.searchsorted(table.images, np.arange(len(table) + 1)).astype(np.int64)


def signatures(table: ObjectTable, *columns: npt.NDArray[np.generic]) -> list[bytes]:
    """Return (n,) the bytes of each image's classes and of its entries in `columns`: equal where those are.

    Parameters
    ----------
    table
        m pairs.
    columns
        (m,) or (m, w) arrays beside the classes, for instance counts.
    """
    starts = image_starts(table)
    parts = []
    for column in (table.classes, *columns):
        rows = np.ascontiguousarray(column)
        raw = rows.data.cast("B") if rows.size else memoryview(b"")
        ends = (starts * rows.itemsize * (rows.shape[1] if rows.ndim > 1 else 1)).tolist()
        parts.append([bytes(raw[start:end]) for start, end in pairwise(ends)])
    return [b"".join(image) for image in zip(*parts, strict=True)]


def content_column(table: ObjectTable, *columns: npt.NDArray[np.generic]) -> FloatArray:
    """Return (n, 1) a number for what each image holds, by which ties are broken whatever the order of the rows.

    Parameters are those of `signatures`.
    """
    digests = (hashlib.blake2b(signature, digest_size=6).digest() for signature in signatures(table, *columns))
    return np.array([float(int.from_bytes(digest, "big")) for digest in digests]).reshape(-1, 1)
