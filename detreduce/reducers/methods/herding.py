"""Herding: the objects of the kept images match the distribution of all objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from detreduce.arrays.distances import CentredPoints
from detreduce.arrays.object_table import ObjectTable
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import Ranking
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.kernels import median_distance
from detreduce.reducers.engine.object_content import image_starts
from detreduce.reducers.engine.object_reducer import ObjectReducer
from detreduce.reducers.engine.order_scores import place_scores
from detreduce.reducers.engine.pool import TIE, FloatArray, IntArray, Pool, derive_rng

FREQUENCIES = 128
EXACT_BOXES = 1000
"""Up to this many boxes in all the kernel is taken exactly: few picks from few boxes show what 256 features lack."""
RANK = 1e-13
"""Eigenvalues of the kernel below this share of the largest are rounding."""
SIGMA_SAMPLE = 2000
BLOCK = 8192
UNIT = 2.0**-24
"""Largest relative rounding of one float32 operation."""
Advance = Callable[[int], object]


@dataclass
class FourierMap:
    """Random Fourier features of the Gaussian kernel (Rahimi and Recht 2007), orthogonal (Yu et al. 2016).

    The frequencies are the same whatever the seed, so that what is matched is a property of the data.

    Attributes
    ----------
    frequencies
        (D / 2, d) float64.
    centre
        (d,) subtracted first.
    """

    frequencies: FloatArray
    centre: FloatArray

    @classmethod
    def gaussian(cls, centre: FloatArray, sigma: float, count: int = FREQUENCIES) -> FourierMap:
        """Return the map of exp(-|a - b|^2 / (2 sigma^2)) with `count` frequencies."""
        d = len(centre)
        rng = derive_rng(0, "herding frequencies")
        blocks = []
        for _ in range(0, count, d):
            q, r = np.linalg.qr(rng.standard_normal((d, d)))
            lengths = np.sqrt(rng.chisquare(d, size=d))
            blocks.append(lengths[:, None] * (q * np.sign(np.diag(r))).T)
        return cls(np.concatenate(blocks)[:count] / sigma, centre)

    def __call__(self, vectors: npt.NDArray[np.floating]) -> FloatArray:
        """Return (b, D) float64 features of unit length, whose inner products are the kernel up to O(1 / sqrt(D))."""
        angles = (vectors - self.centre) @ self.frequencies.T
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / np.sqrt(len(self.frequencies))


class KernelMean:
    """Squared MMD between all objects and those of the images kept, by features whose inner products are the kernel.

    The objects of an image and class count as so many copies of their mean vector. With phi(S) the mean feature of the
    objects of S, the distance is |phi(all) - phi(S)|^2. The features are random Fourier features, or up to
    `EXACT_BOXES` boxes those of the kernel itself; for the kernel that they stand for the distance is exact.

    Parameters
    ----------
    table
        Objects with vectors.
    content
        (n,) numbers by which the sample for the width of the kernel, the median distance, is drawn.
    advance
        Called with the images done.
    """

    def __init__(self, table: ObjectTable, content: FloatArray, advance: Advance = lambda _: None) -> None:
        assert table.vectors is not None
        self.boxes = np.bincount(table.images, table.counts, len(table))
        width, features_of = pair_features(table, content)
        starts = image_starts(table)
        # one column an image: its inner product with a vector is several times faster than that of rows
        features = np.zeros((width, len(table)), np.float32)
        for first in range(0, len(table), BLOCK):
            last = min(first + BLOCK, len(table))
            pairs = slice(int(starts[first]), int(starts[last]))
            weighted = features_of(pairs) * table.counts[pairs, None]
            filled = np.flatnonzero(np.diff(starts[first : last + 1]))
            if len(filled):
                sums = np.add.reduceat(weighted, starts[first + filled] - pairs.start, axis=0)
                features[:, first + filled] = sums.T
            advance(last - first)
        mean = features.sum(axis=1, dtype=np.float64) / max(1.0, self.boxes.sum())
        # what each image adds beyond its share of the mean of all, so that sums stay small
        self.excess = features
        for row, share in zip(features, mean, strict=True):
            row -= share * self.boxes
        self.squares = np.einsum("ij,ij->j", features, features, dtype=np.float64)
        self.lengths = np.sqrt(self.squares)
        self.longest, self.fewest = float(self.lengths.max()), float(self.boxes.min())
        self.sum = np.zeros(len(mean))
        self.kept = 0.0
        self.typical = float(self.boxes.mean())

    @property
    def value(self) -> float:
        """The squared MMD."""
        return float(self.sum @ self.sum) / self.kept**2 if self.kept else float("nan")

    def keep(self, image: int) -> None:
        """Count an image as kept."""
        self.sum += self.excess[:, image]
        self.kept += self.boxes[image]

    def screen(self) -> FloatArray:
        """Return (n,) the distance after each image, up to a common factor and `doubt`."""
        values = (self.sum.astype(np.float32) @ self.excess).astype(np.float64)
        values *= 2.0
        values += self.squares
        values += float(self.sum @ self.sum)
        values *= self._factor(self.boxes)
        return values

    def doubt(self, images: IntArray) -> FloatArray:
        """Return how far `screen` may be wrong for `images`."""
        return self._rounding() * self.lengths[images] * self._factor(self.boxes[images])

    def worst_doubt(self) -> float:
        """Return at least how far `screen` may be wrong for any image."""
        return self._rounding() * self.longest * float(self._factor(self.fewest))

    def _rounding(self) -> float:
        return 4.0 * (len(self.sum) + 2) * UNIT * float(np.linalg.norm(self.sum))

    def exact(self, images: IntArray) -> tuple[FloatArray, float]:
        """Return the distance after each of `images`, up to the factor of `screen`, and what rounding may add to it."""
        summed = self.sum + self.excess[:, images].T
        return np.einsum("ij,ij->i", summed, summed) * self._factor(self.boxes[images]), 1e-11

    def _factor(self, boxes: Any) -> Any:
        return ((self.kept + self.typical) / np.maximum(self.kept + boxes, 1.0)) ** 2


def pair_features(table: ObjectTable, content: FloatArray) -> tuple[int, Callable[[slice], FloatArray]]:
    """Return how many features a pair of image and class has, and what gives those of some pairs, a row each."""
    vectors = table.vectors
    assert vectors is not None
    if len(vectors) and table.counts.sum() <= EXACT_BOXES:
        exact = kernel_features(vectors.astype(np.float64), *centre_and_width(table, content))
        return exact.shape[1], exact.__getitem__
    fourier = fourier_map(table, content)
    return 2 * len(fourier.frequencies), lambda pairs: fourier(vectors[pairs].astype(np.float64))


def kernel_features(vectors: FloatArray, centre: FloatArray, sigma: float) -> FloatArray:
    """Return (m, r) features whose inner products are exp(-|a - b|^2 / (2 sigma^2)), r at most m."""
    Z = (vectors - centre) / sigma
    squares = np.einsum("ij,ij->i", Z, Z)
    kernel = np.exp(-0.5 * (squares[:, None] + squares - 2.0 * Z @ Z.T).clip(0.0))
    values, axes = np.linalg.eigh(kernel)
    kept = values > RANK * values[-1]
    return np.asarray(axes[:, kept] * np.sqrt(values[kept]))


def fourier_map(table: ObjectTable, content: FloatArray) -> FourierMap:
    """Return the map of the kernel of `centre_and_width`."""
    return FourierMap.gaussian(*centre_and_width(table, content))


def centre_and_width(table: ObjectTable, content: FloatArray) -> tuple[FloatArray, float]:
    """Return the mean of a sample of the objects, those of least `content`, and the median distance between them."""
    assert table.vectors is not None
    drawn = np.argsort(content[table.images], kind="stable")[:SIGMA_SAMPLE]
    if not len(drawn):
        return np.zeros(table.vectors.shape[1]), 1.0
    vectors = table.vectors[drawn].astype(np.float64)
    return vectors.mean(axis=0), median_distance(CentredPoints.of(vectors), np.arange(len(vectors)))


class ClassMeans:
    """Sum over classes of the distance between the mean object of all images and of those kept.

    A class that is not kept yet counts as its object farthest from the mean, so that keeping one never costs.

    Parameters
    ----------
    table
        Objects with vectors; those of an image and class are as many copies of their mean vector.
    advance
        Called with the pairs of image and class done.
    """

    def __init__(self, table: ObjectTable, advance: Advance = lambda _: None) -> None:
        assert table.vectors is not None
        self.table = table
        self.starts = image_starts(table)
        self.pairs = np.argsort(table.classes, kind="stable")
        self.class_starts = np.searchsorted(table.classes[self.pairs], np.arange(table.n_classes + 1))
        self.means = np.zeros((table.n_classes, table.vectors.shape[1]))
        self.sums, self.kept = np.zeros_like(self.means), np.zeros(table.n_classes)
        self.scale = 1.0
        self.offsets = [
            np.empty((self.means.shape[1], size), np.float32) for size in np.diff(self.class_starts).tolist()
        ]
        self._centre(advance)
        self.images = table.images[self.pairs]
        self.counts = table.counts[self.pairs].astype(np.float64)
        columns = [np.einsum("ij,ij->j", offsets, offsets, dtype=np.float64) for offsets in self.offsets]
        self.squares = np.concatenate([np.empty(0), *columns])
        self.distances = np.zeros(table.n_classes)
        self.changes, self.errors = np.zeros(len(self.pairs)), np.zeros(len(self.pairs))
        self.totals, self.doubts = np.zeros(len(table)), np.full(len(table), 1e-9)
        for number in range(table.n_classes):
            self.distances[number] = np.sqrt(self.squares[self._of_class(number)].max(initial=0.0))
            self._renew(number)

    @property
    def value(self) -> float:
        """The sum of the distances, in units of the features."""
        return float(self.distances.sum()) * self.scale

    def keep(self, image: int) -> None:
        """Count an image as kept."""
        pairs = np.arange(self.starts[image], self.starts[image + 1])
        classes = self.table.classes[pairs]
        self.sums[classes] += self.table.counts[pairs, None] * self._offsets_of(pairs)
        self.kept[classes] += self.table.counts[pairs]
        for number in classes.tolist():
            self.distances[number] = np.linalg.norm(self.sums[number]) / self.kept[number]
            self._renew(number)

    def screen(self) -> FloatArray:
        """Return (n,) what each image adds to the sum, up to `doubt`."""
        return self.totals.copy()

    def doubt(self, images: IntArray) -> FloatArray:
        """Return how far `screen` may be wrong for `images`."""
        return self.doubts[images]

    def worst_doubt(self) -> float:
        """Return how far `screen` may be wrong for any image."""
        return float(self.doubts.max())

    def exact(self, images: IntArray) -> tuple[FloatArray, float]:
        """Return what each of `images` adds to the sum, and what rounding may add to it."""
        lengths = self.starts[images + 1] - self.starts[images]
        pairs = np.repeat(self.starts[images] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        classes, counts = self.table.classes[pairs], self.table.counts[pairs]
        moved = self.sums[classes] + counts[:, None] * self._offsets_of(pairs)
        after = np.sqrt(np.einsum("ij,ij->i", moved, moved)) / (self.kept[classes] + counts)
        change = after - self.distances[classes]
        owner = np.repeat(np.arange(len(images)), lengths)
        summed = np.bincount(owner, change, len(images)).astype(np.float64)
        return summed, 1e-13 * float(self.distances[classes].max(initial=0.0))

    def _of_class(self, number: int) -> slice:
        return slice(int(self.class_starts[number]), int(self.class_starts[number + 1]))

    def _offsets_of(self, pairs: IntArray) -> FloatArray:
        assert self.table.vectors is not None
        offsets = self.table.vectors[pairs].astype(np.float64) - self.means[self.table.classes[pairs]]
        return offsets * (1.0 / self.scale if self.scale else 0.0)

    def _centre(self, advance: Advance) -> None:
        """Take the means of the classes, and the objects' offsets from them in units of the largest."""
        assert self.table.vectors is not None
        blocks = [(c, start) for c, mine in enumerate(self.offsets) for start in range(0, mine.shape[1], BLOCK)]
        largest = [0.0]
        for number, start in blocks:
            some = self._block(number, start)
            self.means[number] += self.table.counts[some] @ self.table.vectors[some].astype(np.float64)
        self.means /= np.maximum(1, np.bincount(self.table.classes, self.table.counts, self.table.n_classes))[:, None]
        for number, start in blocks:
            largest.append(float(np.square(self._offsets_of(self._block(number, start))).sum(axis=1).max()))
        scale = float(np.sqrt(max(largest)))
        # rounding of the means is all that is left where the objects of each class are equal
        self.scale = scale if scale > 1e-12 * float(np.abs(self.means).max(initial=0.0)) else 0.0
        for number, start in blocks:
            some = self._block(number, start)
            self.offsets[number][:, start : start + BLOCK] = self._offsets_of(some).T
            advance(len(some))

    def _block(self, number: int, start: int) -> IntArray:
        mine = self._of_class(number)
        return self.pairs[mine.start + start : min(mine.start + start + BLOCK, mine.stop)]

    def _renew(self, number: int) -> None:
        """Take the changes of one class anew."""
        mine = self._of_class(number)
        total, counts, squares = self.sums[number], self.counts[mine], self.squares[mine]
        length = float(np.linalg.norm(total))
        products = (total.astype(np.float32) @ self.offsets[number]).astype(np.float64)
        after = np.sqrt((length**2 + counts * (2.0 * products + counts * squares)).clip(0.0))
        error = 4.0 * (len(total) + 2) * UNIT * counts * (length * np.sqrt(squares) + counts * squares)
        error = np.minimum(np.sqrt(error), error / np.maximum(after, 1e-30))
        boxes = self.kept[number] + counts
        change, error = after / boxes - self.distances[number], error / boxes
        images = self.images[mine]
        self.totals[images] += change - self.changes[mine]
        self.doubts[images] += error - self.errors[mine]
        self.changes[mine], self.errors[mine] = change, error


def _near_least(coarse: FloatArray, objective: KernelMean | ClassMeans) -> IntArray:
    """Return the images that may be the least, as far as the screening tells."""
    first = np.array([coarse.argmin()])
    bound = float((coarse[first] + objective.doubt(first))[0])
    near = np.flatnonzero(coarse <= bound + objective.worst_doubt())
    return near[coarse[near] - objective.doubt(near) <= bound]


def match_distribution(
    objective: KernelMean | ClassMeans,
    chosen: IntArray,
    count: int,
    openings: Openings,
    priority: IntArray,
    advance: Advance = lambda _: None,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Extend `chosen` by up to `count` images, each the one after which the objective is least.

    Every image is screened in float32 at each pick, and those that rounding may have put behind are settled in float64.

    Parameters
    ----------
    objective
        What is matched.
    chosen
        Rows chosen before.
    count
        Images to add; fewer where the images that are open are exhausted.
    openings, priority
        Which may be chosen, and the order of ties.
    advance
        Called with the picks made.

    Returns
    -------
    order : (m,) int64
    values : (m,) float64
        The objective after each pick.
    left : (n,) float64
        Minus the objective after one more pick, up to a common factor, for each image that `openings` had open first;
        -inf for the others.
    """
    able = np.flatnonzero(openings.mask)
    for image in chosen.tolist():
        objective.keep(image)
    order: list[int] = []
    values: list[float] = []
    while len(order) < count and openings.mask.any():
        coarse = objective.screen()
        coarse[~openings.mask] = np.inf
        near = _near_least(coarse, objective)
        exact, rounding = objective.exact(near)
        least = exact.min()
        tied = near[exact <= least + TIE * abs(least) + rounding]
        image = int(tied[np.argmin(priority[tied])])
        order.append(image)
        openings.take(image)
        objective.keep(image)
        values.append(objective.value)
        advance(1)
    left = np.full(len(openings.mask), -np.inf)
    for start in range(0, len(able), BLOCK):
        some = able[start : start + BLOCK]
        left[some] = -objective.exact(some)[0]
    return np.array(order, np.int64), np.array(values), left


MATCHES = ("mmd", "class_means")


class Herding(ObjectReducer):
    """Herding: always the image after which the objects kept are distributed most like all objects.

    The objects of an image and class count as so many copies of their mean vector. Images without boxes change nothing
    and come last, in a seeded order. scores_ is minus the place in the order of choice; the others follow, by what the
    distance would be after one more pick. Categories are ignored.

    Parameters
    ----------
    match
        ``"mmd"``: the squared maximum mean discrepancy, with a Gaussian kernel whose width is the median distance
        between objects (of 2,000). Above 1,000 boxes in all, 256 random Fourier features stand for the kernel, the
        same for every seed; given those, the choice is the exact greedy one. ``"class_means"``: sum over classes of
        the distance between the mean object of all images and of those kept; a class that is not kept yet counts as
        its object farthest from the mean.
    keep, random_state
        See BaseReducer; the seed decides ties alone.

    Attributes
    ----------
    objectives_ : (m,) float64
        What is matched after each pick of an image with boxes: the squared MMD, or the sum in units of the features.
    """

    name = "herding"
    needs = ("objects", "object_vectors")
    cost = "n * k * 256; class_means: at most (image, class) pairs * d * k"
    source = "kernel herding, Chen et al. 2010 (arXiv 1203.3472); distribution matching, cf. arXiv 2307.09742"
    summary = "the images whose objects, taken together, are distributed like all objects"
    keeps = "typical objects"
    fails = "Rare classes weigh as little as they do in the whole, and very small subsets are all of averages."

    def __init__(self, *, keep: int | float = 0.25, match: str = "mmd", random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.match = match

    def _check_params(self) -> None:
        if self.match not in MATCHES:
            hint = nearest(str(self.match), MATCHES)
            raise InputError(f"match={self.match!r} is not one of {', '.join(MATCHES)}.{hint}")

    def _rank(self, pool: Pool) -> Ranking:
        table = pool.shared
        openings = Openings(pool)
        filled = Openings(pool)
        filled.mask &= np.bincount(table.images, minlength=len(pool)) > 0
        with threadpool_limits(1, user_api="blas"):
            mmd = self.match == "mmd"
            total = len(pool) if mmd else len(table.images)
            with progress("herding: features", total, "images" if mmd else "objects") as advance:
                content = pool.X[:, 0].astype(np.float64)
                objective = KernelMean(table, content, advance) if mmd else ClassMeans(table, advance)
            with progress("herding", pool.wanted, "images") as advance:
                order, self.objectives_, left = match_distribution(
                    objective, pool.initial, pool.wanted, filled, pool.priority, advance
                )
        for row in order.tolist():
            openings.take(row)
        return _in_order(pool, order, left, openings)


def _in_order(pool: Pool, order: IntArray, left: FloatArray, openings: Openings) -> Ranking:
    """Rank images by place, after those with boxes the ones without, by priority; `left` as for `place_scores`."""
    rest = openings.take_first(np.argsort(pool.priority).tolist(), pool.wanted - len(order))
    order = np.concatenate([order, np.array(rest, np.int64)])
    left[pool.initial] = np.nan  # they have no place among the others
    return Ranking(order, place_scores(order, left))
