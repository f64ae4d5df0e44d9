"""Representative k-means (rkm): keep the images nearest to a few cluster centres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.budget import equal_shares
from detreduce.reducers.engine.distances.kmeans import kmeans
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool, derive_rng
from detreduce.reducers.engine.ranking import FitInput


class RepresentativeKMeans(ScoringReducer):
    """Representative k-means: compute a few clusters of images, and keep the images nearest to each cluster centre.

    k-means runs on all images together. The number of clusters is the number of image categories, but the clusters do
    not depend on the categories. All clusters get the same number of images to keep. If a cluster has too few images,
    the other clusters get the remaining number. The kept images are often near-duplicates. The method is included for
    comparison, because arXiv 2403.15150 uses it on images.

    scores_ is minus the distance of an image to the centre of its cluster. Scores can only be compared within a
    cluster. `strata_` has the cluster of each image, and `ranking_` is the overall order.

    Parameters
    ----------
    keep, random_state
        See BaseReducer. The seed chooses the first centres.
    """

    name = "rkm"
    family = "geometric"
    needs = ("features", "categories")
    cost = "n * C * d * iterations (at most 50)"
    source = "a geometric method in arXiv 2403.15150, used there on images"
    summary = "the images nearest to the cluster centres, with one cluster for each image category"
    keeps = "typical"
    fails = "The method keeps near-duplicates and loses rare images. A category may not get any image."
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
