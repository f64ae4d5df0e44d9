"""ProtoDash (prd): keep prototypes whose weighted kernel mean is close to the kernel mean of their category."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.distances.kernels import Kernel, median_distance
from detreduce.reducers.engine.ordering import gain_scores
from detreduce.reducers.engine.partitions import among, spread_ranking
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking
from detreduce.reducers.engine.search.prototype_search import protodash

SIGMA_SAMPLE = 2000
"""Number of images of a category that are used to compute `sigma="auto"`."""


class ProtoDash(BaseReducer):
    """ProtoDash: choose prototypes with weights, so that their weighted mean is close to the mean of their category.

    Means are compared in the space of the Gaussian kernel ``K_ij = exp(-|x_i - x_j|^2 / (2 sigma^2))``. Let ``mu_i =
    mean_j K_ij`` be the mean kernel of image i, S the set of chosen images, and w their weights. The method repeats two
    steps. First, it adds the image with the largest gradient ``mu_i - sum_{j in S} K_ij w_j``. Then it sets w to the
    non-negative weights that maximise ``w.mu_S - w'K_SS w / 2``. mu_S and K_SS are the parts of mu and K for the images
    in S.

    scores_ of a chosen image is its gradient at the step in which it was chosen. scores_ of a dropped image is its
    gradient after the last step. In the order of choice, scores never rise. If the gradient of an image is larger than
    the score of the image before, the image gets that score instead.

    Parameters
    ----------
    sigma
        Width of the kernel, in units of the features. ``"auto"`` is the median distance between pairs of images of the
        category. In large categories, the median is computed from a random sample of 2,000 images.
    as_released
        Whether to use the linear kernel of the released code. With the linear kernel, all gradients are about 0 when
        the number of chosen images reaches the number of features.
    keep, random_state
        See BaseReducer. The seed breaks ties and chooses the sample for `sigma`.

    Attributes
    ----------
    weights_ : (n,) float64
        Weight of each chosen image in the weighted mean of its category, and 0 for the other images. With
        `max_per_group`, images of full groups are skipped, but they also have weights.
    objectives_ : dict
        Category label -> value of ``w.mu_S - w'K_SS w / 2`` after each step.
    sigmas_ : dict
        Category label -> width that was used. NaN for the linear kernel.
    """

    name = "prd"
    family = "statistic"
    cost = "n_c^2 * d + n_c * k_c^2"
    source = "ProtoDash, Gurumoorthy et al. 2019 (arXiv 1707.01212); a statistic method in arXiv 2403.15150"
    summary = "prototypes whose weighted mean is close to the mean of their category"
    keeps = "representative"
    fails = (
        "Training counts all kept images equally, so rare images count too much. The method is slow in large "
        "categories."
    )
    no_partitions = ""
    deterministic = True
    nested = True

    def __init__(
        self,
        *,
        keep: int | float = 0.25,
        sigma: str | float = "auto",
        as_released: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.sigma = sigma
        self.as_released = as_released

    def _check_params(self) -> None:
        number = isinstance(self.sigma, numbers.Real) and not isinstance(self.sigma, bool)
        if self.sigma != "auto" and not (number and 0 < float(self.sigma) < float("inf")):
            raise InputError(f"sigma={self.sigma!r} must be 'auto' or a width above 0.")

    def _prepare(self, problem: FitInput) -> None:
        self.weights_ = np.zeros(len(problem.codes))
        self.objectives_: dict[Any, FloatArray] = {}
        self.sigmas_: dict[Any, float] = {}

    def _rank(self, pool: Pool) -> Ranking:
        kernel = self._kernel(pool)
        with progress(f"prd {pool.label}: kernel", len(pool), "images") as advance:
            mu = kernel.means(advance)
        return self._choose(pool, kernel, mu)

    def _rank_among(self, pool: Pool, candidates: IntArray) -> Ranking:
        """Rank the candidates. Their weighted mean must be close to the mean of all images of the pool."""
        kernel = self._kernel(pool)
        smaller, local = among(pool, candidates)
        with progress(f"prd {pool.label}: kernel", len(local), "images") as advance:
            mu = kernel.means_of(local, advance)
        return spread_ranking(self._choose(smaller, kernel.take(local), mu), local, len(pool))

    def _choose(self, pool: Pool, kernel: Kernel, mu: FloatArray) -> Ranking:
        """Choose prototypes, and store their weights. `mu` is the (n_c,) mean kernel of each image of the pool."""
        with progress(f"prd {pool.label}", pool.wanted, "images") as advance:
            prototypes = protodash(kernel, mu, pool.initial, pool.wanted, pool.priority, advance)
        order = prototypes.order
        self.weights_[pool.rows[np.concatenate([pool.initial, order])]] = prototypes.weights
        self.objectives_[pool.label] = prototypes.objectives
        return Ranking(order, gain_scores(order, prototypes.gradients, prototypes.gradient))

    def _kernel(self, pool: Pool) -> Kernel:
        """Return the kernel between the images of a pool, and store its width in `sigmas_`."""
        if self.as_released:
            self.sigmas_[pool.label] = float("nan")
            largest = float(max(pool.X.max(), -pool.X.min()))
            # scaling by a power of two does not change any digits, and the weights do not depend on a common factor
            return Kernel(np.asarray(pool.X, np.float64) * 2.0 ** -np.ceil(np.log2(largest or 1.0)), None)
        points = CentredPoints.of(pool.X)
        sigma = median_distance(points, pool.draw(SIGMA_SAMPLE)) if self.sigma == "auto" else float(self.sigma)
        self.sigmas_[pool.label] = sigma
        return Kernel.gaussian(points, sigma)
