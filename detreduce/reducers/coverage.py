"""Coverage of the classes by the boxes kept: a concave function of the labels alone."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers.groups import Openings
from detreduce.reducers.lazy import LazyGains, lazy_greedy
from detreduce.reducers.object_content import image_starts, signatures
from detreduce.reducers.pool import FloatArray, IntArray


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
