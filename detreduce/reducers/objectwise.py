"""Reducers that look at the objects in the images: which classes are there, how many, and what they look like."""

from __future__ import annotations

import numbers
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from threadpoolctl import threadpool_limits

from detreduce.arrays.object_table import ObjectTable
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import BaseReducer, Problem, Ranking
from detreduce.reducers.coverage import class_coverage, split_by_size
from detreduce.reducers.csod import ClassRows, classwise_greedy
from detreduce.reducers.groups import Openings
from detreduce.reducers.herding import ClassMeans, KernelMean, match_distribution
from detreduce.reducers.object_content import content_column
from detreduce.reducers.places import place_scores
from detreduce.reducers.pool import FloatArray, IntArray, Pool

MATCHES = ("mmd", "class_means")


class ObjectReducer(BaseReducer):
    """A greedy method on an ObjectTable.

    The classes do the balancing, so categories are ignored and all images are one stratum. Ties are broken by what the
    images hold, and a full group is left out while images are chosen.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; the seed decides ties alone.
    """

    family = "objectwise"
    needs: ClassVar[tuple[str, ...]] = ("objects",)
    deterministic = True
    nested = True
    uses_categories = False
    _keeps_to_groups = True

    def _stratify(self, problem: Problem) -> Problem:
        table = _table(problem)
        columns = [table.counts] if table.vectors is None else [table.counts, table.vectors]
        content = content_column(table, *columns)
        return self._seated(replace(problem, X=content, codes=np.zeros(len(table), np.int64), labels=[0]))

    def _prepare(self, problem: Problem) -> Any:
        return _table(problem)


def _table(problem: Problem) -> ObjectTable:
    assert problem.objects is not None
    return problem.objects


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

    def _stratify(self, problem: Problem) -> Problem:
        # what tells images apart here is their boxes: their vectors must not break a tie
        table = replace(_table(problem), vectors=None)
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


class ClasswiseObjects(ObjectReducer):
    """CSOD: one image for each class in turn, whose objects are typical of what is left and unlike what is kept.

    The classes take turns, the one in fewest images first. With ``p_ic`` the mean vector of the objects of class c in
    image i, the class takes the image of the largest ``balance * mean_{j not kept} cos(p_ic, p_jc) - mean_{j kept}
    cos(p_ic, p_jc)``; the second term is 0 while none is kept. A class whose images are exhausted is passed over;
    images without boxes come last, in a seeded order. scores_ is minus the place in the order of choice; the others
    follow, by the criterion after the last pick, of their best class. Categories are ignored.

    Parameters
    ----------
    balance
        Weight of being typical (the paper's lambda), at least 0; 0 is diversity alone.
    keep, random_state
        See BaseReducer; the seed decides ties alone.

    Attributes
    ----------
    criterion_ : (n,) float64
        The criterion at which an image was chosen; NaN for the others, for `initial` and for images without boxes.
    """

    name = "csod"
    needs = ("objects", "object_vectors")
    cost = "(image, class) pairs * d * k / classes"
    source = "CSOD, arXiv 2404.09161"
    summary = "for each class in turn, objects typical of what is left and unlike what is kept"
    keeps = "typical, diverse"
    fails = "Every class gets equally many turns, so with many rare classes the common ones are left thin."

    def __init__(self, *, keep: int | float = 0.25, balance: float = 1.0, random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.balance = balance

    def _check_params(self) -> None:
        number = isinstance(self.balance, numbers.Real) and not isinstance(self.balance, bool)
        if not number or not 0 <= float(self.balance) < float("inf"):
            raise InputError(f"balance={self.balance!r} is not a weight: give a number from 0 on.")

    def _rank(self, pool: Pool) -> Ranking:
        openings = Openings(pool)
        # many small products: BLAS threads would wait for each other
        with threadpool_limits(1, user_api="blas"), progress("csod: objects", len(pool.shared.images)) as advance:
            rows = ClassRows.of(pool.shared, advance)
        with threadpool_limits(1, user_api="blas"), progress("csod", pool.wanted, "images") as advance:
            order, found, left = classwise_greedy(
                rows, float(self.balance), pool.initial, pool.wanted, openings, pool.priority, advance
            )
        self.criterion_ = np.full(len(pool), np.nan)
        self.criterion_[order] = found
        return _in_order(pool, order, left, openings)


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
