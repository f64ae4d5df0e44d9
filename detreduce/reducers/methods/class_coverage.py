"""Class coverage: boxes of every class, with diminishing returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import FitInput, Ranking
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.lazy import LazyGains, lazy_greedy
from detreduce.reducers.engine.object_content import image_starts, signatures
from detreduce.reducers.engine.object_reducer import ObjectReducer, objects_of
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool


def split_by_size(table: ObjectTable) -> ObjectTable:
    """Return the table in which each class has become one class for each size of its boxes; needs `size_counts`."""
    assert table.size_counts is not None
    pair, size = np.nonzero(table.size_counts)
    sizes = table.size_counts.shape[1]
    classes = table.classes[pair] * sizes + size
    counts = table.size_counts[pair, size]
    return ObjectTable(table.n_images, table.n_classes * sizes, table.images[pair], classes, counts)


def coverage_gains(table: ObjectTable, kept: FloatArray, total: FloatArray) -> FloatArray:
    """Return (n,) what each image adds to sum_c sqrt(kept_c / total_c), where `kept` (C,) boxes are kept already."""
    before = kept[table.classes]
    root = np.sqrt(before + table.counts) + np.sqrt(before)
    gains = table.counts / (root * np.sqrt(total[table.classes]))
    return np.bincount(table.images, gains, len(table)).astype(np.float64)


def class_coverage(
    table: ObjectTable,
    chosen: IntArray,
    count: int,
    openings: Openings,
    priority: IntArray,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Extend `chosen` by `count` images, each the one that adds most to sum_c sqrt(kept_c / total_c).

    Images of the same boxes are looked at once, and gains are taken anew only where they could win, so the time grows
    with the images chosen and not with their product with all.

    Parameters
    ----------
    table
        Boxes of each image and class; an image without any adds 0 and comes last.
    chosen
        Rows chosen before.
    count
        Images to add.
    openings, priority
        Which may be chosen, and the order of ties.
    advance
        Called with the picks made.

    Returns
    -------
    order : (count,) int64
    found : (count,) float64
        What each added; never rises.
    left : (n,) float64
        What every image would add after all picks.
    """
    total = np.bincount(table.classes, table.counts, table.n_classes).astype(np.float64)
    held = table.counts * np.isin(table.images, chosen)
    kept = np.bincount(table.classes, held, table.n_classes).astype(np.float64)
    starts = image_starts(table).tolist()
    classes, counts = table.classes.tolist(), table.counts.astype(float).tolist()
    boxes, roots = kept.tolist(), np.sqrt(kept).tolist()
    weights = np.divide(1.0, np.sqrt(total), out=np.zeros_like(total), where=total > 0).tolist()

    def gain(image: int) -> float:
        added = 0.0
        for pair in range(starts[image], starts[image + 1]):
            c, more = classes[pair], counts[pair]
            added += weights[c] * more / (sqrt(boxes[c] + more) + roots[c])
        return added

    def choose(image: int) -> None:
        for pair in range(starts[image], starts[image + 1]):
            c = classes[pair]
            boxes[c] += counts[pair]
            roots[c] = sqrt(boxes[c])

    bounds = coverage_gains(table, kept, total)
    gains = LazyGains(bounds, gain, choose, _twins(signatures(table, table.counts), priority))
    order, found = lazy_greedy(gains, count, openings, priority, advance)
    return order, found, coverage_gains(table, np.array(boxes), total)


def _twins(contents: list[bytes], priority: IntArray) -> IntArray:
    """Return for each image the next of the same boxes in the order of priority, or -1."""
    following = np.full(len(contents), -1, np.int64)
    last: dict[bytes, int] = {}
    for row in np.argsort(priority)[::-1].tolist():
        following[row] = last.get(contents[row], -1)
        last[contents[row]] = row
    return following


class ClassCoverage(ObjectReducer):
    """Class coverage: always the image whose boxes add most to ``sum_c sqrt(boxes of c kept / boxes of c)``.

    The root makes the first boxes of a class worth most, those of rare classes above all, so images that are rich in
    what is still scarce come first; the labels alone are looked at. scores_ is what an image added when it was chosen;
    for the others what they would add to all that are chosen. Images without boxes add nothing and come last.
    Categories are ignored.

    Parameters
    ----------
    by_size
        Count the boxes of a class separately by size, as given in the table's `size_counts`.
    keep, random_state
        See BaseReducer; the seed decides ties alone.
    """

    name = "class_coverage"
    cost = "n log n * classes in an image"
    source = "feature-based submodular function; lazy greedy, Minoux 1978 (doi 10.1007/BFb0006528)"
    summary = "the images whose boxes are most wanted by class: labels alone, rare classes and crowded images first"
    keeps = "rare classes"
    fails = "With one class, or box counts that say little, it only takes the fullest images, which may look alike."

    def __init__(self, *, keep: int | float = 0.25, by_size: bool = False, random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.by_size = by_size

    def _check_params(self) -> None:
        if not isinstance(self.by_size, bool | np.bool_):
            raise InputError(f"by_size={self.by_size!r} is neither True nor False.")

    def _stratify(self, problem: FitInput) -> FitInput:
        # what tells images apart here is their boxes: their vectors must not break a tie
        table = replace(objects_of(problem), vectors=None)
        if self.by_size:
            if table.size_counts is None:
                raise InputError("by_size=True needs objects with size_counts: give box_sizes= to from_boxes.")
            table = split_by_size(table)
        return super()._stratify(replace(problem, objects=table))

    def _rank(self, pool: Pool) -> Ranking:
        with progress("class_coverage", pool.wanted, "images") as advance:
            order, found, left = class_coverage(
                pool.shared, pool.initial, pool.wanted, Openings(pool), pool.priority, advance
            )
        scores = np.minimum(left, found.min(initial=np.inf))
        scores[order] = np.minimum.accumulate(found)
        return Ranking(order, scores)
