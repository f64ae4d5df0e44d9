"""The base class of methods that use the objects (boxes) in the images, and functions that these methods share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.ordering import place_scores
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking


class ObjectReducer(BaseReducer):
    """A greedy method that chooses images by their boxes, which it gets as an ObjectTable.

    These methods use the classes of boxes instead of image categories, so all images share one quota. Ties are broken
    by the content of the images. If a group is full, its images are left out of the search.

    Parameters
    ----------
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    family = "objectwise"
    needs: ClassVar[tuple[str, ...]] = ("objects",)
    deterministic = True
    nested = True
    uses_categories = False
    _keeps_to_groups = True

    def _stratify(self, problem: FitInput) -> FitInput:
        table = objects_of(problem)
        columns = [table.counts] if table.vectors is None else [table.counts, table.vectors]
        content = content_column(table, *columns)
        return self._seated(replace(problem, X=content, codes=np.zeros(len(table), np.int64), labels=[0]))

    def _prepare(self, problem: FitInput) -> Any:
        return objects_of(problem)


def objects_of(problem: FitInput) -> ObjectTable:
    """Return the ObjectTable that was passed to `fit`."""
    assert problem.objects is not None
    return problem.objects


def rank_with_empty_last(pool: Pool, order: IntArray, remaining: FloatArray, openings: Openings) -> Ranking:
    """Return a ranking that begins with the chosen images in their order.

    If more images are needed, images without boxes follow, sorted by priority.

    Parameters
    ----------
    pool
        All images.
    order
        The chosen images with boxes, in the order in which they were chosen.
    remaining
        (n,) the criterion of every image after the last choice, as in `place_scores`.
    openings
        The images that may still be chosen.
    """
    empty = openings.take_first(np.argsort(pool.priority).tolist(), pool.wanted - len(order))
    order = np.concatenate([order, np.array(empty, np.int64)])
    remaining[pool.initial] = np.nan  # images in `initial` do not get a score here
    return Ranking(order, place_scores(order, remaining))


def signatures(table: ObjectTable, *columns: npt.NDArray[np.generic]) -> list[bytes]:
    """Return one byte string for each image. Images with the same classes and the same `columns` have equal strings.

    Parameters
    ----------
    table
        A table of n images and m (image, class) pairs.
    columns
        (m,) or (m, w) arrays with one row for each pair, for instance the counts.
    """
    return list(_signatures(table, columns))


def _signatures(table: ObjectTable, columns: Sequence[npt.NDArray[np.generic]]) -> Iterator[bytes]:
    """Yield the signature of each image one by one, because all signatures together are as large as the columns."""
    starts = table.starts
    parts = []
    for column in (table.classes, *columns):
        rows = np.ascontiguousarray(column)
        raw = rows.data.cast("B") if rows.size else memoryview(b"")
        ends = (starts * rows.itemsize * (rows.shape[1] if rows.ndim > 1 else 1)).tolist()
        parts.append((raw, ends))
    for place in range(len(table)):
        yield b"".join(raw[ends[place] : ends[place + 1]] for raw, ends in parts)


def content_column(table: ObjectTable, *columns: npt.NDArray[np.generic]) -> FloatArray:
    """Return an (n, 1) array with a hash of the content of each image.

    The hashes are used to break ties, so that the order of the rows does not matter. The parameters are the same as in
    `signatures`.
    """
    digests = (hashlib.blake2b(signature, digest_size=6).digest() for signature in _signatures(table, columns))
    return np.array([float(int.from_bytes(digest, "big")) for digest in digests]).reshape(-1, 1)
