"""Herding: keep images whose objects have nearly the same distribution as all objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.machine.parallel import one_blas_thread
from detreduce.reducers.engine.distances.kernel_mean import BLOCK, UNIT, Advance, KernelMean
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.object_reducer import ObjectReducer, rank_with_empty_last
from detreduce.reducers.engine.ordering import TIE
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import Ranking
from detreduce.reducers.engine.search.greedy import GreedyTask

MATCHES = ("class_means", "mmd")


class Herding(ObjectReducer):
    """Herding: keep images whose objects have nearly the same distribution as all objects.

    The method compares two distributions of feature vectors: the vectors of the kept objects, and the vectors of all
    objects. In each step, it adds the image that makes the distance between the two distributions smallest. All objects
    of one class in one image are represented by the mean of their vectors. Images without boxes come last, in a random
    order. To keep some images without boxes, name them in ``must_keep``.

    scores_ of a chosen image is minus its position in the order of choice (0, -1, -2, ...). The scores of dropped
    images are lower. Among dropped images, the score is higher if adding the image would make the distance smaller.
    Image categories are not used.

    Parameters
    ----------
    match
        The distance between the two distributions. ``"class_means"`` is a sum over classes. The term of a class is the
        distance between the mean vector of all its objects and the mean vector of its kept objects. If no object of a
        class is kept, the term is the distance from the mean vector to the farthest object. ``"mmd"`` is the squared
        maximum mean discrepancy with a Gaussian kernel. The width of the kernel is the median distance between 2,000
        objects. With more than 1,000 boxes in total, 256 random Fourier features approximate the kernel. These features
        are the same for every seed. In our experiments, ``"mmd"`` was not better than random subsets.
    keep, random_state
        See BaseReducer. The seed only breaks ties.

    Attributes
    ----------
    objectives_ : (m,) float64
        The distance after each added image. For ``"class_means"``, the distance is in units of the features. For
        ``"mmd"``, it is the squared MMD. Added images without boxes have no entry.
    """

    name = "herding"
    needs = ("objects", "object_vectors")
    cost = "at most (image, class) pairs * d * k; with match=mmd: n * k * 256"
    source = "kernel herding, Chen et al. 2010 (arXiv 1203.3472); distribution matching, cf. arXiv 2307.09742"
    summary = "images whose objects together have nearly the same distribution as all objects"
    keeps = "typical objects"
    fails = "Rare classes stay as rare as in the full set. Very small subsets have only average objects."
    no_partitions = "each choice depends on the mean of all objects of a class"

    def __init__(self, *, keep: int | float = 0.25, match: str = "class_means", random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.match = match

    def _check_params(self) -> None:
        if self.match not in MATCHES:
            hint = nearest(str(self.match), MATCHES)
            raise InputError(f"match={self.match!r} is not one of {', '.join(MATCHES)}.{hint}")

    def _rank(self, pool: Pool) -> Ranking:
        table, mmd = pool.shared, self.match == "mmd"
        total, unit = (len(pool), "images") if mmd else (len(table.images), "objects")
        with one_blas_thread():
            with progress("herding: features", total, unit) as advance:
                content = pool.X[:, 0].astype(np.float64)
                objective = KernelMean(table, content, advance) if mmd else ClassMeans(table, advance)
            with progress("herding", pool.wanted, "images") as advance:
                task = GreedyTask.of(pool, advance)
                task.openings.mask &= np.bincount(table.images, minlength=len(pool)) > 0
                order, self.objectives_, remaining = match_distribution(objective, task)
        openings = Openings(pool)
        for row in order.tolist():
            openings.take(row)
        return rank_with_empty_last(pool, order, remaining, openings)


class ClassMeans:
    """The sum, over all classes, of the distance between the mean of all objects and the mean of the kept objects.

    If no object of a class is kept, the distance from the mean to the farthest object of this class is used instead.
    Therefore the first kept object of a class never increases the distance. A class that is in only one image always
    has the distance 0, so it is left out and takes no memory.

    Parameters
    ----------
    table
        The object table, with a mean vector for each (image, class) pair.
    advance
        A function that is called with the number of (image, class) pairs that were just processed.
    """

    def __init__(self, table: ObjectTable, advance: Advance = lambda _: None) -> None:
        assert table.vectors is not None
        self.table = table
        self.starts = table.starts
        self.pairs = np.argsort(table.classes, kind="stable")
        self.class_starts = np.searchsorted(table.classes[self.pairs], np.arange(table.n_classes + 1))
        sizes = np.diff(self.class_starts)
        several = np.flatnonzero(sizes > 1)
        # the row of each class in the tables below, or -1
        self.places = np.full(table.n_classes, -1)
        self.places[several] = np.arange(len(several))
        self.means = np.zeros((len(several), table.vectors.shape[1]))
        # unlike `zeros_like`, `zeros` takes no memory for a class until an image of it is kept
        self.sums, self.kept = np.zeros(self.means.shape), np.zeros(table.n_classes)
        self.scale = 1.0
        self.offsets = {
            number: np.empty((self.means.shape[1], size), np.float32)
            for number, size in zip(several.tolist(), sizes[several].tolist(), strict=True)
        }
        self._centre(advance)
        self.images = table.images[self.pairs]
        self.counts = table.counts[self.pairs].astype(np.float64)
        self.squares = np.zeros(len(self.pairs))
        for number, offsets in self.offsets.items():
            self.squares[self._of_class(number)] = np.einsum("ij,ij->j", offsets, offsets, dtype=np.float64)
        self.distances = np.zeros(table.n_classes)
        self.changes, self.errors = np.zeros(len(self.pairs)), np.zeros(len(self.pairs))
        self.totals, self.doubts = np.zeros(len(table)), np.full(len(table), 1e-9)
        for number in self.offsets:
            self.distances[number] = np.sqrt(self.squares[self._of_class(number)].max(initial=0.0))
            self._renew(number)

    @property
    def value(self) -> float:
        """The sum of the distances, in units of the features."""
        return float(self.distances.sum()) * self.scale

    def keep(self, image: int) -> None:
        """Count an image as kept."""
        pairs = np.arange(self.starts[image], self.starts[image + 1])
        pairs = pairs[self.places[self.table.classes[pairs]] >= 0]
        classes = self.table.classes[pairs]
        self.sums[self.places[classes]] += self.table.counts[pairs, None] * self._offsets_of(pairs)
        self.kept[classes] += self.table.counts[pairs]
        for number in classes.tolist():
            self.distances[number] = np.linalg.norm(self.sums[self.places[number]]) / self.kept[number]
            self._renew(number)

    def screen(self) -> FloatArray:
        """Return the (n,) approximate change of the sum that would result from adding each image.

        `doubt` returns how wrong these values can be.
        """
        return self.totals.copy()

    def doubt(self, images: IntArray) -> FloatArray:
        """Return the largest possible error of `screen` for each of these images."""
        return self.doubts[images]

    def worst_doubt(self) -> float:
        """Return the largest possible error of `screen` over all images."""
        return float(self.doubts.max())

    def exact(self, images: IntArray) -> tuple[FloatArray, float]:
        """Return the exact change of the sum for each of these images, and the largest error of these values.

        A change is what the sum would gain or lose if the image were added.
        """
        lengths = self.starts[images + 1] - self.starts[images]
        pairs = np.repeat(self.starts[images] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        owner = np.repeat(np.arange(len(images)), lengths)
        several = self.places[self.table.classes[pairs]] >= 0
        pairs, owner = pairs[several], owner[several]
        classes, counts = self.table.classes[pairs], self.table.counts[pairs]
        moved = self.sums[self.places[classes]] + counts[:, None] * self._offsets_of(pairs)
        after = np.sqrt(np.einsum("ij,ij->i", moved, moved)) / (self.kept[classes] + counts)
        change = after - self.distances[classes]
        summed = np.bincount(owner, change, len(images)).astype(np.float64)
        return summed, 1e-13 * float(self.distances[classes].max(initial=0.0))

    def _of_class(self, number: int) -> slice:
        """Return the slice of `pairs` that contains the pairs of class `number`."""
        return slice(int(self.class_starts[number]), int(self.class_starts[number + 1]))

    def _offsets_of(self, pairs: IntArray) -> FloatArray:
        """Return the vectors of `pairs` minus the mean vectors of their classes, in units of `scale`.

        Each of these classes must have at least two pairs.
        """
        assert self.table.vectors is not None
        offsets = self.table.vectors[pairs].astype(np.float64) - self.means[self.places[self.table.classes[pairs]]]
        return offsets * (1.0 / self.scale if self.scale else 0.0)

    def _centre(self, advance: Advance) -> None:
        """Compute the mean of each class, and the offset of each vector from the mean of its class.

        Offsets are in units of the largest offset.
        """
        assert self.table.vectors is not None
        blocks = [(c, start) for c, own in self.offsets.items() for start in range(0, own.shape[1], BLOCK)]
        largest = [0.0]
        for number, start in blocks:
            block = self._block(number, start)
            self.means[self.places[number]] += self.table.counts[block] @ self.table.vectors[block].astype(np.float64)
        boxes = np.bincount(self.table.classes, self.table.counts, self.table.n_classes)
        for number in self.offsets:
            self.means[self.places[number]] /= boxes[number]
        for number, start in blocks:
            largest.append(float(np.square(self._offsets_of(self._block(number, start))).sum(axis=1).max()))
        scale = float(np.sqrt(max(largest)))
        # if all objects of each class are equal, the offsets are only rounding errors
        self.scale = scale if scale > 1e-12 * self._largest_mean(advance) else 0.0
        for number, start in blocks:
            block = self._block(number, start)
            self.offsets[number][:, start : start + BLOCK] = self._offsets_of(block).T
            advance(len(block))

    def _largest_mean(self, advance: Advance) -> float:
        """Return the largest absolute value in the mean vectors of all classes.

        If a class has a single pair, its mean vector is the vector of this pair.
        """
        assert self.table.vectors is not None
        single = np.flatnonzero(self.places[self.table.classes] < 0)
        blocks = (single[start : start + BLOCK] for start in range(0, len(single), BLOCK))
        largest = [max(float(self.means.max(initial=0.0)), -float(self.means.min(initial=0.0)))]
        for block in blocks:
            largest.append(float(np.abs(self.table.vectors[block]).max()))
            advance(len(block))
        return max(largest)

    def _block(self, number: int, start: int) -> IntArray:
        """Return at most `BLOCK` pairs of class `number`, beginning at position `start` among its pairs."""
        place = self._of_class(number)
        return self.pairs[place.start + start : min(place.start + start + BLOCK, place.stop)]

    def _renew(self, number: int) -> None:
        """Update the values of each image that has objects of class `number`.

        The values are the approximate change of the sum if the image were added, and the largest error of this change.
        """
        place = self._of_class(number)
        total, counts, squares = self.sums[self.places[number]], self.counts[place], self.squares[place]
        length = float(np.linalg.norm(total))
        products = (total.astype(np.float32) @ self.offsets[number]).astype(np.float64)
        after = np.sqrt((length**2 + counts * (2.0 * products + counts * squares)).clip(0.0))
        error = 4.0 * (len(total) + 2) * UNIT * counts * (length * np.sqrt(squares) + counts * squares)
        error = np.minimum(np.sqrt(error), error / np.maximum(after, 1e-30))
        boxes = self.kept[number] + counts
        change, error = after / boxes - self.distances[number], error / boxes
        images = self.images[place]
        self.totals[images] += change - self.changes[place]
        self.doubts[images] += error - self.errors[place]
        self.changes[place], self.errors[place] = change, error


def match_distribution(objective: KernelMean | ClassMeans, task: GreedyTask) -> tuple[IntArray, FloatArray, FloatArray]:
    """Add images one by one, each time the image that makes the objective smallest.

    In each step, the objective that each image would give is first computed in float32, with rounding errors. Every
    image that could be the best within these errors is then computed in float64.

    Parameters
    ----------
    objective
        The distance or sum to minimise.
    task
        The images to add. If there are not enough candidates, fewer images are added.

    Returns
    -------
    order : (m,) int64
        The added images, in order.
    values : (m,) float64
        The objective after each choice.
    remaining : (n,) float64
        A score of each image: the smaller the objective with this image after the last choice, the higher the score.
        Only the order of the scores counts. The score is -inf for images that were not candidates at the start.
    """
    openings = task.openings
    candidates = np.flatnonzero(openings.mask)
    for image in task.chosen.tolist():
        objective.keep(image)
    order: list[int] = []
    values: list[float] = []
    while len(order) < task.count and openings.mask.any():
        coarse = objective.screen()
        coarse[~openings.mask] = np.inf
        near = _near_least(coarse, objective)
        exact, rounding = objective.exact(near)
        least = exact.min()
        tied = near[exact <= least + TIE * abs(least) + rounding]
        image = int(tied[np.argmin(task.priority[tied])])
        order.append(image)
        openings.take(image)
        objective.keep(image)
        values.append(objective.value)
        task.advance(1)
    remaining = np.full(len(openings.mask), -np.inf)
    # an image has vectors of several classes, so these blocks contain fewer images than there are vectors in a block
    for start in range(0, len(candidates), BLOCK // 8):
        block = candidates[start : start + BLOCK // 8]
        remaining[block] = -objective.exact(block)[0]
    return np.array(order, np.int64), np.array(values), remaining


def _near_least(coarse: FloatArray, objective: KernelMean | ClassMeans) -> IntArray:
    """Return the images that could have the smallest objective, given the approximate objectives `coarse`."""
    first = np.array([coarse.argmin()])
    bound = float((coarse[first] + objective.doubt(first))[0])
    near = np.flatnonzero(coarse <= bound + objective.worst_doubt())
    return near[coarse[near] - objective.doubt(near) <= bound]
