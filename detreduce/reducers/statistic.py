"""Reducers of the statistic family: file order, stratified random sampling, and prototypes of a distribution."""

from __future__ import annotations

import numbers
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import BaseReducer, Problem, Ranking, ScoringReducer
from detreduce.reducers.kernels import Kernel, median_distance
from detreduce.reducers.object_content import image_starts
from detreduce.reducers.pool import FloatArray, Pool
from detreduce.reducers.protodash import protodash
from detreduce.reducers.stratification import stratified_order

STRATA = ("categories", "classes")
SIGMA_SAMPLE = 2000
"""Images of a category that `sigma="auto"` is taken from."""


class FirstImages(ScoringReducer):
    """The first images of each category in row order, which is file-name order: what ultralytics' `fraction=` does.

    It is there to be beaten. scores_ is minus the row number.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; nothing is drawn, so the seed decides nothing.
    """

    name = "first"
    family = "baseline"
    needs = ()
    cost = "n log n"
    source = "ultralytics, argument `fraction`"
    summary = "the first files in name order, as people do by accident"
    keeps = "earliest"
    fails = "Files are mostly sorted by scene or time: it keeps the first scenes and nothing of the others."
    deterministic = True
    has_ties = False
    order_dependent = True

    def _score(self, pool: Pool) -> FloatArray:
        return -pool.rows.astype(np.float64)


class _NeedsOf:
    """`needs` where a parameter adds to it: nothing of the class, objects of an instance with ``by="classes"``."""

    def __get__(self, reducer: Any, cls: type) -> tuple[str, ...]:
        return ("objects",) if reducer is not None and reducer.by == "classes" else ()


class StratifiedRandom(ScoringReducer):
    """Stratified random sampling: images of each category, uniformly, without replacement.

    scores_ is a uniform draw of each image in [0, 1); by classes, 1 minus its place over the number of images. X is not
    looked at.

    Parameters
    ----------
    by
        ``"categories"``: within a category, every set of images is as likely. ``"classes"``: within a category, a
        random order in which every class has its share of every prefix, up to a few images, by halving again and again
        in the manner of iterative stratification (Sechidis et al. 2011); needs `objects`. With categories=None the
        classes are all that is stratified by.
    keep, random_state
        See BaseReducer; another seed draws another subset.
    """

    name = "srs"
    family = "statistic"
    needs: ClassVar[Any] = _NeedsOf()
    cost = "n log n"
    source = (
        "stratified random sampling; arXiv 2403.15150, family statistic; by classes cf. Sechidis et al. 2011 "
        "(doi 10.1007/978-3-642-23808-6_10)"
    )
    summary = "a draw with every category in proportion, the control to beat"
    keeps = "random"
    fails = "One draw says little, and near-duplicates stay as frequent as they were: use several seeds."
    deterministic = False

    def __init__(self, *, keep: int | float = 0.25, by: str = "categories", random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.by = by

    def _check_params(self) -> None:
        if self.by not in STRATA:
            raise InputError(f"by={self.by!r} is not one of {', '.join(STRATA)}.{nearest(str(self.by), STRATA)}")

    def _prepare(self, problem: Problem) -> list[list[int]] | None:
        """Return the classes of each image, where it is by classes."""
        if problem.objects is None:
            return None
        starts = image_starts(problem.objects).tolist()
        classes = problem.objects.classes.tolist()
        return [classes[start:end] for start, end in pairwise(starts)]

    def _score(self, pool: Pool) -> FloatArray:
        if pool.shared is None:
            return pool.rng("srs").random(len(pool))
        scores = np.empty(len(pool))
        with progress(f"srs {pool.label}", len(pool), "images") as advance:
            order = stratified_order([pool.shared[row] for row in pool.rows], pool.rng("srs by classes"), advance)
        scores[order] = 1.0 - np.arange(len(pool)) / len(pool)
        return scores


class ProtoDash(BaseReducer):
    """ProtoDash: prototypes with non-negative weights, whose kernel mean is nearest to that of the category.

    With ``K_ij = exp(-|x_i - x_j|^2 / (2 sigma^2))`` and ``mu_i = mean_j K_ij``: add the image of the largest gradient
    ``mu_i - (K_S w)_i``, then ``w = argmax over w >= 0 of w.mu_S - w'K_SS w / 2``, and again. scores_ is the gradient
    at which an image was chosen, or the smallest before it where that is less; for the others the last gradient, so
    bounded.

    Parameters
    ----------
    sigma
        Width of the kernel, in units of the features. ``"auto"``: the median distance between pairs of images of the
        category, of 2,000 seeded ones where it has more.
    as_released
        The linear kernel of the released code, for which all gradients are about 0 once as many images as features are
        chosen.
    keep, random_state
        See BaseReducer; the seed decides ties, and which images `sigma` is taken from.

    Attributes
    ----------
    weights_ : (n,) float64
        Weight of each chosen image in its category's mean, 0 for the others; with `max_per_group` also of images that
        were passed over.
    objectives_ : dict
        Category label -> objective after each pick.
    sigmas_ : dict
        Category label -> width used; NaN for the linear kernel.
    """

    name = "prd"
    family = "statistic"
    cost = "n_c^2 * d + n_c * k_c^2"
    source = "ProtoDash, Gurumoorthy et al. 2019 (arXiv 1707.01212); arXiv 2403.15150, family statistic"
    summary = "prototypes whose weighted mean embedding matches the category's"
    keeps = "representative"
    fails = "Training does not use its weights, without which rare images count too much; slow in a large category."
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
            raise InputError(f"sigma={self.sigma!r} is neither 'auto' nor a width above 0.")

    def _prepare(self, problem: Problem) -> None:
        self.weights_ = np.zeros(len(problem.codes))
        self.objectives_: dict[Any, FloatArray] = {}
        self.sigmas_: dict[Any, float] = {}

    def _rank(self, pool: Pool) -> Ranking:
        kernel = self._kernel(pool)
        with progress(f"prd {pool.label}: kernel", len(pool), "images") as advance:
            mu = kernel.means(advance)
        with progress(f"prd {pool.label}", pool.wanted, "images") as advance:
            found = protodash(kernel, mu, pool.initial, pool.wanted, pool.priority, advance)
        self.weights_[pool.rows[np.concatenate([pool.initial, found.order])]] = found.weights
        self.objectives_[pool.label] = found.objectives
        falling = np.minimum.accumulate(found.gradients)
        scores = np.minimum(found.gradient, falling[-1])
        scores[found.order] = falling
        return Ranking(found.order, scores)

    def _kernel(self, pool: Pool) -> Kernel:
        if self.as_released:
            self.sigmas_[pool.label] = float("nan")
            largest = float(max(pool.X.max(), -pool.X.min()))
            # a power of two changes no digit, and the weights do not depend on a common factor
            return Kernel(np.asarray(pool.X, np.float64) * 2.0 ** -np.ceil(np.log2(largest or 1.0)), None)
        points = CentredPoints.of(pool.X)
        sigma = median_distance(points, pool.draw(SIGMA_SAMPLE)) if self.sigma == "auto" else float(self.sigma)
        self.sigmas_[pool.label] = sigma
        return Kernel.gaussian(points, sigma)
