"""Clustering centroids (clc): keep the image nearest to each k-means centre."""

from __future__ import annotations

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.machine.parallel import product
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.distances.kmeans import kmeans
from detreduce.reducers.engine.groups import Openings
from detreduce.reducers.engine.ordering import best
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import Ranking


class ClusterCentroids(BaseReducer):
    """Clustering centroids: compute one k-means centre per image to keep, and keep the image nearest to each centre.

    Each image category has its own centres. If the nearest image already represents another centre, the next nearest
    image is kept. The images of large clusters come first. scores_ of a kept image is the size of the cluster that the
    image represents. scores_ of another image is minus the distance to the centre of its cluster.

    Parameters
    ----------
    keep, random_state
        See BaseReducer. The seed chooses the first centres.
    """

    name = "clc"
    family = "geometric"
    cost = "n_c * k_c * d * (log k_c + iterations, at most 50)"
    source = "k-means, Lloyd 1982 (doi 10.1109/TIT.1982.1056489); a geometric method in arXiv 2403.15150"
    summary = "the images nearest to the cluster centres, with one cluster for each image to keep"
    keeps = "typical, spread"
    fails = "Another seed gives other images. With a large keep, each outlier becomes a centre."
    no_partitions = "in measurements, the mean squared distance to the kept images then was up to 14 % larger"
    deterministic = False
    nested = False
    _keeps_to_groups = True

    def _rank(self, pool: Pool) -> Ranking:
        points = CentredPoints.of(pool.X)
        with progress(f"clc {pool.label}", pool.seats, "centres") as advance:
            centres, labels = kmeans(points.Z, pool.seats, pool.rng("clc"), advance)
        sizes = np.bincount(labels, minlength=pool.seats)
        scores = -np.linalg.norm(points.Z - centres[labels], axis=1) * points.scale
        represented = _represented_centres(points, centres, pool.initial)
        open_centres = np.setdiff1d(np.arange(pool.seats), represented)
        draw = pool.rng("order").permutation(pool.seats)
        by_size = open_centres[np.lexsort((draw[open_centres], -sizes[open_centres]))]
        order = nearest_without_repeats(points, centres[by_size], Openings(pool), pool.priority)
        scores[order] = sizes[by_size]
        return Ranking(order, scores)


def _represented_centres(points: CentredPoints, centres: FloatArray, rows: IntArray) -> IntArray:
    """Return one centre for each of `rows`, such that no centre is used twice.

    The rows choose in turn. Each row gets the nearest centre that is still free.
    """
    free = np.ones(len(centres), bool)
    represented: list[int] = []
    for row in rows:
        distance = np.where(free, ((centres - points.Z[row]) ** 2).sum(axis=1), np.inf)
        represented.append(int(distance.argmin()))
        free[represented[-1]] = False
    return np.array(represented, np.int64)


def nearest_without_repeats(
    points: CentredPoints, centres: FloatArray, openings: Openings, priority: IntArray
) -> IntArray:
    """Choose the nearest candidate for each centre in turn, and return the chosen rows. `priority` breaks ties."""
    order = np.empty(len(centres), np.int64)
    for start in range(0, len(centres), 64):
        block = centres[start : start + 64]
        squared = points.squares - 2.0 * product(block, points.Z) + np.einsum("ij,ij->i", block, block)[:, None]
        for offset, row_squared in enumerate(squared):
            candidates = np.where(openings.mask, row_squared, np.inf)
            # close to a centre, inner products are inexact, so decide by coordinate differences
            slack = 1e-9 * (points.squares.max() + 1.0)
            close = np.flatnonzero(candidates <= candidates.min() + slack)
            exact = ((points.Z[close] - block[offset]) ** 2).sum(axis=1)
            row = int(close[best(-np.where(exact > 1e-24, exact, 0.0), priority[close])])
            order[start + offset] = row
            openings.take(row)
    return order
