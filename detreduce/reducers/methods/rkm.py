"""Representative k-means (rkm): images nearest the cluster centres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.base import FitInput, ScoringReducer
from detreduce.reducers.engine.budget import equal_shares
from detreduce.reducers.engine.kmeans import kmeans
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool, derive_rng


class RepresentativeKMeans(ScoringReducer):
    """Representative k-means: one cluster for each category, and from each cluster the images nearest its centre.

    Only the number of categories matters, not the labels. Clusters get equal shares of the seats, larger ones first; if
    a cluster is too small, the others fill its seats. The method avoids diversity. It is here because the paper used it
    on images. scores_ is minus the distance to the centre of the image's cluster. Seats go to clusters, not to
    categories. So scores can only be compared within a cluster, which `strata_` names; `ranking_` is the overall order.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; the seed draws the first centres.
    """

    name = "rkm"
    family = "geometric"
    needs = ("features", "categories")
    cost = "n * C * d * iterations (at most 50)"
    source = "arXiv 2403.15150, family geometric, as used there on images"
    summary = "the images nearest the cluster centres, with one cluster for each category"
    keeps = "typical"
    fails = "It keeps near-duplicates and nothing rare, and a category may get no image."
    deterministic = False
    uses_categories = False

    def _stratify(self, problem: FitInput) -> FitInput:
        points = CentredPoints.of(problem.X)
        clusters = min(len(problem.labels), len(problem.X))
        centres, codes = kmeans(points.Z, clusters, derive_rng(problem.seed, "rkm"))
        distances = np.linalg.norm(points.Z - centres[codes], axis=1) * points.scale
        return self._seated(replace(problem, codes=codes, labels=list(range(clusters)), shared=distances))

    def _seat_sequence(self, counts: IntArray, k: int, taken: IntArray) -> IntArray:
        return equal_shares(counts, k, taken)

    def _score(self, pool: Pool) -> FloatArray:
        return -pool.shared[pool.rows]
