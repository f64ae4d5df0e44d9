"""Reducers that look at distances: farthest points and centres of clusters."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError, RandomDrawWarning
from detreduce.reducers.base import BaseReducer, Problem, Ranking, ScoringReducer
from detreduce.reducers.budget import allot_seats, equal_shares
from detreduce.reducers.entropy import StandardScale, distance_entropy, mean_rows
from detreduce.reducers.farthest import farthest_points
from detreduce.reducers.groups import Openings
from detreduce.reducers.kmeans import kmeans
from detreduce.reducers.pool import FloatArray, IntArray, Pool, best, derive_rng, descending
from detreduce.reducers.validation import check_rows


class MaxMin(BaseReducer):
    """MaxMin (farthest point, k-centre greedy): always the image farthest from those chosen.

    scores_ is the distance at which an image was chosen, which is the covering radius so far (+inf for the start); for
    the others, their distance to the nearest chosen one. Gonzalez (1985), *Clustering to minimize the maximum
    intercluster distance*.

    Parameters
    ----------
    start
        ``"center"``: the image nearest the mean of its category. A row of X: that image, the other categories from
        their centre. A list: one row of each category. Where `initial` names images of a category, they are its start.
    keep, random_state
        See BaseReducer.
    """

    name = "mms"
    family = "geometric"
    cost = "n_c * k_c * d"
    source = "Gonzalez 1985 (doi 10.1016/0304-3975(85)90224-5); arXiv 2403.15150, family geometric"
    summary = "always the image farthest from those chosen"
    keeps = "diverse"
    fails = "Outliers, mislabelled and broken images come first."
    deterministic = True
    nested = True
    _keeps_to_groups = True

    def __init__(
        self, *, keep: int | float = 0.25, start: str | int | Sequence[int] = "center", random_state: Any = 0
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.start = start

    def leave_rows(self, rows: IntArray, n: int) -> None:
        """Find the starts among the rows that are left."""
        if isinstance(self.start, str) or len(rows) == n:
            return
        single = isinstance(self.start, numbers.Integral)
        wanted = check_rows([self.start] if single else self.start, n, "start")
        lost = np.setdiff1d(wanted, rows)
        if len(lost):
            raise InputError(f"start={int(lost[0])} is the row of an image that is left out as a duplicate.")
        places = np.searchsorted(rows, wanted)
        self.start = int(places[0]) if single else places.tolist()

    def _check_params(self) -> None:
        if isinstance(self.start, str) and self.start != "center":
            raise InputError(f"start={self.start!r} is not known: give 'center', a row number or one row a category.")
        if isinstance(self.start, numbers.Real) and (
            isinstance(self.start, bool) or not isinstance(self.start, numbers.Integral) or self.start < 0
        ):
            raise InputError(f"start={self.start!r} is not a row number: rows go from 0.")

    def _prepare(self, problem: Problem) -> IntArray:
        if isinstance(self.start, str):
            return np.empty(0, np.int64)
        one = isinstance(self.start, numbers.Integral) and not isinstance(self.start, bool)
        rows = check_rows([self.start] if one else self.start, len(problem.X), "start")
        codes = problem.codes[rows]
        if not one and sorted(codes) != list(range(len(problem.labels))):
            raise InputError(f"start has {len(codes)} rows, but must name one row of each category ({problem.labels}).")
        return rows

    def _rank(self, pool: Pool) -> Ranking:
        points = CentredPoints.of(pool.X)
        openings = Openings(pool)
        chosen, order, distances = pool.initial, np.empty(0, np.int64), np.empty(0)
        if not len(chosen):
            given = np.searchsorted(pool.rows, np.intersect1d(pool.rows, pool.shared))
            given = given[openings.mask[given]]
            first = int(given[0]) if len(given) else _nearest_mean(points, openings.mask, pool.priority)
            openings.take(first)
            chosen = order = np.array([first])
            distances = np.array([np.inf])
        count = pool.wanted - len(order)
        with progress(f"mms {pool.label}", count, "images") as advance:
            more, at, nearest = farthest_points(points, chosen, count, openings, pool.priority, advance)
        order = np.concatenate([order, more])
        nearest[order] = np.concatenate([distances, at])
        return Ranking(order, nearest)


def _nearest_mean(points: CentredPoints, free: npt.NDArray[np.bool_], priority: IntArray) -> int:
    squares = np.where(points.squares > 1e-20 * points.squares.max(), points.squares, 0.0)
    return best(np.where(free, -squares, -np.inf), priority)


class RepresentativeKMeans(ScoringReducer):
    """Representative k-means: as many clusters as categories, and from each the images nearest its centre.

    The categories' labels are ignored; each cluster gives an equal share, the larger ones first, topped up from the
    others where one is too small. It is anti-diverse by construction, and here because the paper used it on images.
    scores_ is minus the distance to the centre of the image's cluster. Seats go to clusters, not to categories, so
    scores are comparable only within one cluster, which `strata_` names; the overall order is that of `ranking_`.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; the seed places the first centres.
    """

    name = "rkm"
    family = "geometric"
    needs = ("features", "categories")
    cost = "n * C * d * iterations (at most 50)"
    source = "arXiv 2403.15150, family geometric, as used there on images"
    summary = "the images nearest as many cluster centres as there are categories"
    keeps = "typical"
    fails = "It keeps near-duplicates side by side and nothing rare, and a category may get no image."
    deterministic = False
    uses_categories = False

    def _stratify(self, problem: Problem) -> Problem:
        points = CentredPoints.of(problem.X)
        clusters = min(len(problem.labels), len(problem.X))
        centres, codes = kmeans(points.Z, clusters, derive_rng(problem.seed, "rkm"))
        distances = np.linalg.norm(points.Z - centres[codes], axis=1) * points.scale
        return self._seated(replace(problem, codes=codes, labels=list(range(clusters)), shared=distances))

    def _seat_sequence(self, counts: IntArray, k: int, held: IntArray) -> IntArray:
        return equal_shares(counts, k, held)

    def _score(self, pool: Pool) -> FloatArray:
        return -pool.shared[pool.rows]


class DistanceEntropy(BaseReducer):
    """Distance-entropy: beside a random base, the images about equally far from all categories' prototypes.

    Prototypes are the category means of a stratified random base. For every other image ``p = softmax(sign * distance
    to the prototypes)`` and ``H = - sum p log2 p``; the largest H are added within each category's seats. scores_ is H,
    +inf for the base. With one category every H is 0: a seeded draw, with a warning.

    Parameters
    ----------
    base
        Fraction of the budget drawn at random, in [0, 1]; one image of each category while the budget allows.
    sign
        -1: the nearest prototype is the likeliest. +1: the released behaviour, where the farthest is.
    standardise
        Bring every feature to unit variance first.
    as_released
        Sign +1 on raw features.
    keep, random_state
        See BaseReducer; the seed draws the base.
    """

    name = "des"
    family = "geometric"
    needs = ("features", "categories")
    cost = "n * C * d"
    source = "distance-entropy, Li and Chao 2022 (doi 10.3389/fpls.2021.818895); arXiv 2403.15150, family geometric"
    summary = "a random base, then the images between the categories"
    keeps = "borderline"
    fails = "Ambiguous and mislabelled images come first; with one category it is a random draw."
    deterministic = False
    nested = False

    def __init__(
        self,
        *,
        keep: int | float = 0.25,
        base: float = 0.2,
        sign: int = -1,
        standardise: bool = True,
        as_released: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.base = base
        self.sign = sign
        self.standardise = standardise
        self.as_released = as_released

    def _check_params(self) -> None:
        if isinstance(self.base, bool) or not isinstance(self.base, numbers.Real) or not 0 <= self.base <= 1:
            raise InputError(f"base={self.base!r} is not a fraction of the budget: give one in [0, 1].")
        if self.sign not in (-1, 1):
            raise InputError(f"sign={self.sign!r} must be -1 or +1.")
        for name in ("standardise", "as_released"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise InputError(f"{name}={getattr(self, name)!r} is neither True nor False.")

    def _prepare(self, problem: Problem) -> tuple[IntArray, FloatArray]:
        if len(problem.labels) == 1:
            warnings.warn(
                "des with one category is a random draw: every entropy is 0.", RandomDrawWarning, stacklevel=4
            )
        base = _draw_base(problem, math.floor(self.base * problem.k + 0.5))
        if len(problem.labels) == 1:
            return base, np.zeros(len(problem.X))
        raw = self.as_released or not self.standardise
        scale = None if raw else StandardScale(problem.X)
        groups = [base[problem.codes[base] == pool.code] for pool in problem.pools()]
        groups = [mine if len(mine) else pool.rows for mine, pool in zip(groups, problem.pools(), strict=True)]
        prototypes = mean_rows(problem.X, groups, scale)
        sign = 1 if self.as_released else self.sign
        return base, distance_entropy(problem.X, prototypes, sign=sign, scale=scale)

    def _rank(self, pool: Pool) -> Ranking:
        base, entropy = pool.shared
        scores = entropy[pool.rows]
        drawn = np.searchsorted(pool.rows, base[np.isin(base, pool.rows)])
        scores[drawn] = -np.inf
        order, scores = descending(scores, pool.precedence)
        scores[drawn] = np.inf
        order = np.concatenate([drawn, order[: len(order) - len(drawn)]])
        return Ranking(order[~np.isin(order, pool.initial)], scores)


def _draw_base(problem: Problem, size: int) -> IntArray:
    """Return the rows of the base: `initial` first, then drawn within each category's seats, one of each before."""
    size = min(max(size, len(problem.labels), len(problem.initial)), problem.k)
    counts = np.bincount(problem.codes, minlength=len(problem.labels))
    held = np.bincount(problem.codes[problem.initial], minlength=len(counts))
    seats = allot_seats(counts, size - len(problem.initial), held)
    drawn = [problem.initial]
    for pool in problem.pools():
        shuffled = pool.rng("base").permutation(len(pool))
        drawn.append(pool.rows[shuffled[~np.isin(shuffled, pool.initial)][: seats[pool.code]]])
    return np.concatenate(drawn)


class ClusterCentroids(BaseReducer):
    """Clustering centroids: k-means with as many centres as seats, and the image nearest each centre.

    An image that stands for one centre already gives way to the next nearest. The largest cluster's image comes first.
    scores_ is the size of the cluster that an image stands for; for the others, minus the distance to their centre.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; the seed places the first centres.
    """

    name = "clc"
    family = "geometric"
    cost = "n_c * k_c * d * (log k_c + iterations, at most 50)"
    source = "k-means, Lloyd 1982 (doi 10.1109/TIT.1982.1056489); arXiv 2403.15150, family geometric"
    summary = "the image nearest each of k_c cluster centres"
    keeps = "typical, spread"
    fails = "Another seed gives other images, and with many seats outliers are centres of their own."
    deterministic = False
    nested = False
    _keeps_to_groups = True

    def _rank(self, pool: Pool) -> Ranking:
        points = CentredPoints.of(pool.X)
        with progress(f"clc {pool.label}", pool.seats, "centres") as advance:
            centres, labels = kmeans(points.Z, pool.seats, pool.rng("clc"), advance)
        sizes = np.bincount(labels, minlength=pool.seats)
        scores = -np.linalg.norm(points.Z - centres[labels], axis=1) * points.scale
        served = _centres_served(points, centres, pool.initial)
        open_centres = np.setdiff1d(np.arange(pool.seats), served)
        draw = pool.rng("order").permutation(pool.seats)
        by_size = open_centres[np.lexsort((draw[open_centres], -sizes[open_centres]))]
        order = nearest_without_repeats(points, centres[by_size], Openings(pool), pool.priority)
        scores[order] = sizes[by_size]
        return Ranking(order, scores)


def _centres_served(points: CentredPoints, centres: FloatArray, rows: IntArray) -> IntArray:
    """Return the centre that each of `rows`, in turn, is nearest to among those that none before it took."""
    free = np.ones(len(centres), bool)
    served: list[int] = []
    for row in rows:
        distance = np.where(free, ((centres - points.Z[row]) ** 2).sum(axis=1), np.inf)
        served.append(int(distance.argmin()))
        free[served[-1]] = False
    return np.array(served, np.int64)


def nearest_without_repeats(
    points: CentredPoints, centres: FloatArray, openings: Openings, priority: IntArray
) -> IntArray:
    """Return for each centre, in turn, the nearest point that is open; ties by priority."""
    order = np.empty(len(centres), np.int64)
    for start in range(0, len(centres), 64):
        block = centres[start : start + 64]
        squared = points.squares - 2.0 * (block @ points.Z.T) + np.einsum("ij,ij->i", block, block)[:, None]
        for offset, row_squared in enumerate(squared):
            candidates = np.where(openings.mask, row_squared, np.inf)
            # the products lose digits near a centre: settle the nearest few by differences
            slack = 1e-9 * (points.squares.max() + 1.0)
            close = np.flatnonzero(candidates <= candidates.min() + slack)
            exact = ((points.Z[close] - block[offset]) ** 2).sum(axis=1)
            row = int(close[best(-np.where(exact > 1e-24, exact, 0.0), priority[close])])
            order[start + offset] = row
            openings.take(row)
    return order
