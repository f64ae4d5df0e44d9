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

    def _stratify(self, problem: FitInput) -> FitInput:
        points = CentredPoints.of(problem.X)
        clusters = min(len(problem.labels), len(problem.X))
        centres, codes = kmeans(points.Z, clusters, derive_rng(problem.seed, "rkm"))
        distances = np.linalg.norm(points.Z - centres[codes], axis=1) * points.scale
        return self._seated(replace(problem, codes=codes, labels=list(range(clusters)), shared=distances))

    def _seat_sequence(self, counts: IntArray, k: int, held: IntArray) -> IntArray:
        return equal_shares(counts, k, held)

    def _score(self, pool: Pool) -> FloatArray:
        return -pool.shared[pool.rows]
