"""Class coverage: keep boxes of every class. Each further box of a class counts less than the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.engine.object_reducer import ObjectReducer, objects_of, signatures
from detreduce.reducers.engine.ordering import gain_scores
from detreduce.reducers.engine.partitions import LINEAR
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking
from detreduce.reducers.engine.search.greedy import GreedyTask
from detreduce.reducers.engine.search.windowed_greedy import ArrayGains, windowed_greedy


class ClassCoverage(ObjectReducer):
    """Class coverage: in each step, add the image that increases ``sum_c sqrt(kept boxes of c / all boxes of c)`` most.

    The sum is over all classes c. Because of the square root, the first boxes of a class count most, and a box of a
    rare class counts more than a box of a common class. So images with many boxes of rare classes come first. The
    method only reads labels. Images without boxes add nothing and come last. To keep some images without boxes, name
    them in ``must_keep``.

    scores_ of a chosen image is the increase at the step in which the image was chosen. scores_ of a dropped image is
    the increase that the image would give after the last step. Image categories are not used. Only the classes of boxes
    are used.

    Parameters
    ----------
    by_size
        Whether small, medium and large boxes of a class count as three classes.
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    name = "class_coverage"
    cost = "n log n * classes in an image"
    source = "feature-based submodular function; lazy greedy, Minoux 1978 (doi 10.1007/BFb0006528)"
    summary = "images with boxes of rare classes, and images with many boxes"
    keeps = "rare classes"
    fails = "With one class, the method takes the images with the most boxes. These images may look alike."
    no_partitions = LINEAR

    def __init__(self, *, keep: int | float = 0.25, by_size: bool = False, random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.by_size = by_size

    def _check_params(self) -> None:
        if not isinstance(self.by_size, bool | np.bool_):
            raise InputError(f"by_size={self.by_size!r} must be True or False.")

    def _stratify(self, problem: FitInput) -> FitInput:
        # only the numbers of boxes matter here, so vectors must not break a tie
        table = replace(objects_of(problem), vectors=None)
        if self.by_size:
            if table.size_counts is None:
                raise InputError(
                    "by_size=True needs the size of each box, but the ObjectTable has no size_counts. Pass box_sizes= "
                    "to ObjectTable.from_boxes."
                )
            table = split_by_size(table)
        return super()._stratify(replace(problem, objects=table))

    def _rank(self, pool: Pool) -> Ranking:
        with progress("class_coverage", pool.wanted, "images") as advance:
            order, gains, remaining = class_coverage(pool.shared, GreedyTask.of(pool, advance))
        return Ranking(order, gain_scores(order, gains, remaining))


def split_by_size(table: ObjectTable) -> ObjectTable:
    """Return a table in which each combination of a class and a box size is a class of its own.

    The given table must have `size_counts`.
    """
    assert table.size_counts is not None
    pair, size = np.nonzero(table.size_counts)
    sizes = table.size_counts.shape[1]
    classes = table.classes[pair] * sizes + size
    counts = table.size_counts[pair, size]
    return ObjectTable(table.n_images, table.n_classes * sizes, table.images[pair], classes, counts)


def class_coverage(table: ObjectTable, task: GreedyTask) -> tuple[IntArray, FloatArray, FloatArray]:
    """Add images one by one, each time the image that increases sum_c sqrt(kept_c / total_c) most.

    Images that have the same number of boxes of each class are evaluated only once. Most steps evaluate only a few
    hundred images (see `windowed_greedy`).

    Returns
    -------
    order : (count,) int64
        The added images, in order.
    gains : (count,) float64
        The increase by each added image. These values never rise.
    remaining : (n,) float64
        The increase that each image would bring after the last choice.
    """
    total = np.bincount(table.classes, table.counts, table.n_classes)
    counted = table.counts * np.isin(table.images, task.chosen)
    kept = np.bincount(table.classes, counted, table.n_classes)
    # equal numbers of boxes of a class give equal increases, so compute each pair (class, number) only once
    base = int(table.counts.max(initial=0)) + 1
    pairs, kinds = np.unique(table.classes * base + table.counts, return_inverse=True)
    classes, more = pairs // base, pairs % base
    scale = more / np.sqrt(total[classes])
    starts = table.starts

    def watch(rows: IntArray) -> Callable[[], FloatArray]:
        """Return a function that computes the current gains of some images."""
        places, owners = table.pairs_of(rows)
        kinds_of_rows = kinds[places]

        def current() -> FloatArray:
            """Return the gain of each of these images."""
            before = kept[classes]
            added = scale / (np.sqrt(before + more) + np.sqrt(before))
            return np.bincount(owners, added[kinds_of_rows], len(rows)).astype(np.float64)

        return current

    def choose(image: int) -> None:
        """Add the boxes of an image to the kept boxes."""
        boxes = slice(starts[image], starts[image + 1])
        kept[table.classes[boxes]] += table.counts[boxes]

    next_identical = _next_with_same_boxes(signatures(table, table.counts), task.priority)
    order, gains = windowed_greedy(ArrayGains(watch, choose, next_identical), task)
    return order, gains, watch(np.arange(len(table)))()


def _next_with_same_boxes(contents: list[bytes], priority: IntArray) -> IntArray:
    """For each image, return the next image with the same number of boxes of each class, or -1 if there is none.

    The images are in the order of their priority.
    """
    following = np.full(len(contents), -1, np.int64)
    last: dict[bytes, int] = {}
    for row in np.argsort(priority)[::-1].tolist():
        following[row] = last.get(contents[row], -1)
        last[contents[row]] = row
    return following
