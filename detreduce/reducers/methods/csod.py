"""Classwise selection by objects (csod): each class in turn adds an image.

The objects of this class in the image are typical of the class, and unlike the objects that are already kept.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.machine.parallel import one_blas_thread
from detreduce.reducers.engine.object_reducer import ObjectReducer, rank_with_empty_last
from detreduce.reducers.engine.ordering import best
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import Ranking
from detreduce.reducers.engine.search.greedy import GreedyTask

BLOCK = 16_384
DECIMALS = 11
"""Criteria are rounded to this number of decimals, because further decimals are rounding errors."""
UNIT = 2.0**-24
"""The largest relative rounding error of one float32 operation."""


class ClasswiseObjects(ObjectReducer):
    """CSOD: each class in turn adds an image whose objects are typical of the class and differ from the kept objects.

    Classes take turns. In each round, the class with the fewest images has the first turn. Let ``p_ic`` be the mean
    vector of the objects of class c in image i. A class c adds the image with the largest criterion ``balance * mean_{j
    not kept} cos(p_ic, p_jc) - mean_{j kept} cos(p_ic, p_jc)``. The second term is 0 until an image of the class is
    kept. A class without remaining images is skipped. Images without boxes come last, in a random order. To keep some
    images without boxes, name them in ``must_keep``.

    scores_ of a chosen image is minus its position in the order of choice (0, -1, -2, ...). The scores of dropped
    images are lower. Among dropped images, a larger criterion after the last choice gives a higher score. If an image
    has several classes, its largest criterion counts. Image categories are not used. Only the classes of boxes are
    used.

    Parameters
    ----------
    balance
        Weight of the first term, which is high for typical images (lambda in the paper). At least 0. With 0, only the
        second term is used.
    keep, random_state
        See BaseReducer. The seed only breaks ties.

    Attributes
    ----------
    criterion_ : (n,) float64
        The value of the criterion at the step in which the image was chosen. The value is NaN for dropped images, for
        the images in `initial` and for images without boxes.
    """

    name = "csod"
    needs = ("objects", "object_vectors")
    cost = "(image, class) pairs * d * k / classes"
    source = "CSOD, arXiv 2404.09161"
    summary = "one image for each class in turn, with objects that are typical of the class and unlike the kept objects"
    keeps = "typical, diverse"
    fails = "All classes get the same number of turns. With many rare classes, common classes get few images."
    no_partitions = "each choice depends on the mean of all objects of a class"

    def __init__(self, *, keep: int | float = 0.25, balance: float = 1.0, random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.balance = balance

    def _check_params(self) -> None:
        number = isinstance(self.balance, numbers.Real) and not isinstance(self.balance, bool)
        if not number or not 0 <= float(self.balance) < float("inf"):
            raise InputError(f"balance={self.balance!r} is not a weight. Use a number of at least 0.")

    def _rank(self, pool: Pool) -> Ranking:
        # for many small products, several BLAS threads would mostly wait for each other
        with one_blas_thread(), progress("csod: objects", len(pool.shared.images)) as advance:
            rows = ClassRows.of(pool.shared, advance)
        with one_blas_thread(), progress("csod", pool.wanted, "images") as advance:
            task = GreedyTask.of(pool, advance)
            order, criteria, remaining = classwise_greedy(rows, float(self.balance), task)
        self.criterion_ = np.full(len(pool), np.nan)
        self.criterion_[order] = criteria
        return rank_with_empty_last(pool, order, remaining, task.openings)


@dataclass
class ClassRows:
    """The (image, class) pairs of an object table sorted by class, so that the pairs of one class form one matrix.

    Attributes
    ----------
    table
        The object table, with vectors.
    pairs
        (m,) the index of each pair in the table, sorted by class and then by image.
    starts
        (C + 1,) the position in `pairs` where each class starts.
    norms
        (m,) the length of the vector of each pair, in the order of the table, or 1 for a zero vector.
    units
        C float32 arrays of shape (d, m_c) with the unit vectors of each class, in the order of `pairs`. The unit
        vectors are columns, because inner products with columns are several times faster than with rows.
    """

    table: ObjectTable
    pairs: IntArray
    starts: IntArray
    norms: FloatArray
    units: list[npt.NDArray[np.float32]]

    @classmethod
    def of(cls, table: ObjectTable, advance: Callable[[int], object] = lambda _: None) -> ClassRows:
        """Sort the (image, class) pairs of an object table that has vectors.

        The result contains a float32 copy of the vectors. `advance` is called with the number of pairs that were just
        sorted.
        """
        assert table.vectors is not None
        pairs = np.argsort(table.classes, kind="stable")
        starts = np.searchsorted(table.classes[pairs], np.arange(table.n_classes + 1))
        norms = np.empty(len(pairs))
        units = [np.empty((table.vectors.shape[1], size), np.float32) for size in np.diff(starts).tolist()]
        rows = cls(table, pairs, starts, norms, units)
        for number, columns in enumerate(units):
            for start in range(0, columns.shape[1], BLOCK):
                block = pairs[starts[number] :][start : min(start + BLOCK, columns.shape[1])]
                vectors = table.vectors[block].astype(np.float64)
                lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
                norms[block] = np.where(lengths > 0.0, lengths, 1.0)
                columns[:, start : start + BLOCK] = rows.exact(block).T
                advance(len(block))
        return rows

    def of_class(self, number: int) -> slice:
        """Return the slice of `pairs` that contains the pairs of class `number`."""
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    def exact(self, pairs: IntArray) -> FloatArray:
        """Return the (p, d) float64 unit vectors of these (image, class) pairs, given as indices into the table."""
        assert self.table.vectors is not None
        return self.table.vectors[pairs].astype(np.float64) / self.norms[pairs, None]


class _Sums:
    """Running sums of unit vectors for each class: over all images with this class, and over the kept ones.

    A class that is in only one image has no sums, because its sum is the unit vector of this image.
    """

    def __init__(self, rows: ClassRows) -> None:
        table = rows.table
        self.rows = rows
        self.starts = table.starts
        assert table.vectors is not None
        self.size = np.diff(rows.starts)
        several = np.flatnonzero(self.size > 1)
        # the row of each class in the tables below, or -1
        self.places = np.full(table.n_classes, -1)
        self.places[several] = np.arange(len(several))
        self.total = np.zeros((len(several), table.vectors.shape[1]))
        for total, number in zip(self.total, several.tolist(), strict=True):
            place = rows.of_class(number)
            for start in range(place.start, place.stop, BLOCK):
                block = rows.pairs[start : min(start + BLOCK, place.stop)]
                total += rows.exact(block).sum(axis=0)
        # unlike `zeros_like`, `zeros` takes no memory for a class until an image of it is kept
        self.kept = np.zeros(self.total.shape)
        self.kept_size = np.zeros(table.n_classes, np.int64)

    def keep(self, image: int) -> None:
        """Count an image as kept."""
        pairs = np.arange(self.starts[image], self.starts[image + 1])
        classes = self.rows.table.classes[pairs]
        self.kept_size[classes] += 1
        several = self.places[classes] >= 0
        self.kept[self.places[classes[several]]] += self.rows.exact(pairs[several])

    def direction(self, number: int, balance: float) -> FloatArray:
        """Return a (d,) vector whose inner product with the unit vector of an image is the criterion of class `number`.

        There must be an image of this class that is not kept yet.
        """
        place = self.places[number]
        if place < 0:
            return balance * self.rows.exact(self.rows.pairs[self.rows.of_class(number)])[0]
        rest = (self.total[place] - self.kept[place]) / (self.size[number] - self.kept_size[number])
        return balance * rest - self.kept[place] / max(1, self.kept_size[number])


def classwise_greedy(rows: ClassRows, balance: float, task: GreedyTask) -> tuple[IntArray, FloatArray, FloatArray]:
    """Add one image for each class in turn, starting with the rarest class (arXiv 2404.09161).

    Let p_i be the mean vector of the objects of class c in image i. Among the images with class c, the method adds the
    image with the largest balance * mean_{j not kept} cos(p_i, p_j) - mean_{j kept} cos(p_i, p_j). Both means are inner
    products of the unit vector of p_i with running sums, so a turn needs only one pass over the class. The method first
    computes the value for each image in float32. It then compares the best images in float64. A class without remaining
    images is skipped.

    Parameters
    ----------
    rows
        The objects, sorted by class.
    balance
        Weight of the first mean. The second mean has weight 1.
    task
        The images to add. If there are not enough images with objects, fewer images are added.

    Returns
    -------
    order : (m,) int64
        The added images, in order.
    criteria : (m,) float64
        The value of the criterion at the step in which each image was chosen.
    remaining : (n,) float64
        The largest criterion of each image over its classes, after the last choice. It is -inf for images without
        objects.
    """
    table, sums, openings = rows.table, _Sums(rows), task.openings
    for image in task.chosen.tolist():
        sums.keep(image)
    boxes = np.bincount(table.classes, table.counts, table.n_classes)
    turns = [int(c) for c in np.lexsort((np.arange(table.n_classes), boxes, sums.size)) if sums.size[c]]
    images = {c: table.images[rows.pairs[rows.of_class(c)]] for c in turns}
    order: list[int] = []
    criteria: list[float] = []
    while turns and len(order) < task.count:
        classes, turns = turns, []
        for c in classes:
            if len(order) == task.count:
                break
            free = openings.mask[images[c]]
            if not free.any():
                continue
            turns.append(c)
            place, value = _best_of_class(rows, c, sums.direction(c, balance), free, task.priority[images[c]])
            image = int(images[c][place])
            order.append(image)
            criteria.append(value)
            openings.take(image)
            sums.keep(image)
            task.advance(1)
    return np.array(order, np.int64), np.array(criteria), _criteria(rows, sums, balance)


def _criteria(rows: ClassRows, sums: _Sums, balance: float) -> FloatArray:
    """Return (n,) the largest criterion of each image over its classes, or -inf for images without objects."""
    largest = np.full(len(rows.table), -np.inf)
    for number in np.flatnonzero(sums.size > sums.kept_size).tolist():
        direction, place = sums.direction(number, balance), rows.of_class(number)
        for start in range(place.start, place.stop, BLOCK):
            block = rows.pairs[start : min(start + BLOCK, place.stop)]
            images = rows.table.images[block]
            largest[images] = np.maximum(largest[images], np.round(rows.exact(block) @ direction, DECIMALS))
    return largest


def _best_of_class(
    rows: ClassRows, number: int, direction: FloatArray, free: npt.NDArray[np.bool_], priority: IntArray
) -> tuple[int, float]:
    """Return the best of the `free` images of class `number`, and the value of its criterion.

    The image is given by its position among the images of this class.
    """
    place = rows.of_class(number)
    length = float(np.linalg.norm(direction)) or 1.0
    coarse = (direction / length).astype(np.float32) @ rows.units[number]
    coarse[~free] = -np.inf
    near = np.flatnonzero(coarse >= coarse.max() - 2.0 * (len(direction) + 2) * UNIT)
    values = np.round(np.einsum("ij,j->i", rows.exact(rows.pairs[place][near]), direction), DECIMALS)
    winner = best(values, priority[near])
    return int(near[winner]), float(values[winner])
