"""Reducers that rank every image by a score of its own."""

from __future__ import annotations

import numbers
from dataclasses import replace
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import Problem, ScoringReducer
from detreduce.reducers.decomposition import DECOMPOSITIONS, category_scores
from detreduce.reducers.neighbours import nearest_neighbours
from detreduce.reducers.persistence import ROUNDING, neighbourhood_persistence
from detreduce.reducers.pool import FloatArray, Pool

LANDMARKS = ("representative", "vital")
VERSIONS = ("restrictedDim", "multiDim")
AUTO_NEIGHBOUR = 10
"""The neighbour whose median distance is `radius="auto"`."""


class NumerosityReduction(ScoringReducer):
    """Numerosity reduction by matrix decomposition: the images that the weak directions contribute least to.

    For a matrix ``A = U S V'`` with images as columns ``a_j`` of unit length, ``score_j = sum_i w_i * -log(max(|a_j .
    u_i|, 1e-3))`` with ``w_i = (1 / s_i) / sum(1 / s)``: the weaker a direction, the more it counts that an image is at
    right angles to it. scores_ is the score in the matrix of the image's category times that in the matrix of all
    images with the one-hot category under the features.

    Parameters
    ----------
    decomposition
        ``"svd"``; ``"qr"`` with column pivoting, u_i and s_i from Q and the diagonal of R; ``"nmf"`` of the shifted
        features, 16 components.
    as_released
        The highest scores of all images, whatever their category: small categories may vanish.
    keep, random_state
        See BaseReducer; the seed decides ties alone.
    """

    name = "nrmd"
    family = "ranking"
    cost = "n * (d + C)^2"
    source = (
        "numerosity reduction by matrix decomposition, Ghojogh and Crowley 2019 "
        "(doi 10.1007/978-3-030-18305-9_13); arXiv 2403.15150, family ranking"
    )
    summary = "the images that the strong directions of their category explain best"
    keeps = "aligned"
    fails = "The weakest directions, often noise, decide; where n_c < d it keeps the images far from the mean."
    deterministic = True

    def __init__(
        self,
        *,
        keep: int | float = 0.25,
        decomposition: str = "svd",
        as_released: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.decomposition = decomposition
        self.as_released = as_released

    def _check_params(self) -> None:
        if not isinstance(self.decomposition, str) or self.decomposition not in DECOMPOSITIONS:
            hint = nearest(str(self.decomposition), DECOMPOSITIONS)
            raise InputError(f"decomposition={self.decomposition!r} is not one of {', '.join(DECOMPOSITIONS)}.{hint}")

    def _stratify(self, problem: Problem) -> Problem:
        width = len(problem.labels)
        with progress("nrmd", width + 1, "matrices") as advance:
            scores = category_scores(problem.X, problem.codes, width, self.decomposition, advance)
        problem = replace(problem, shared=scores)
        if self.as_released:
            return self._seated(replace(problem, codes=np.zeros_like(problem.codes), labels=[0]))
        return problem

    def _score(self, pool: Pool) -> FloatArray:
        return pool.shared[pool.rows]


class PersistentHomologyLandmarks(ScoringReducer):
    """Persistent-homology landmarks: how much an image's neighbourhood is more than one filled lump.

    An image with fewer than 2 others within `radius` is a super-outlier. The others score the largest finite
    persistence of the Vietoris-Rips diagram of their neighbours, the image itself left out. scores_ is minus that for
    representative landmarks, plus that for vital ones, and -inf for super-outliers; many images tie at 0, and the seed
    draws among them. Stolz 2021, *Outlier-robust subsampling techniques for persistent homology*.

    Parameters
    ----------
    landmark
        ``"representative"``: the least persistent first. ``"vital"``: the most persistent first. Super-outliers come
        last in both.
    version
        ``"restrictedDim"``: persistence in dimension `dim`. ``"multiDim"``: the largest over dimensions 0 to `dim`.
    dim
        Dimension of the holes: 0 counts gaps, 1 loops, 2 voids (slow).
    radius
        Reach of a neighbourhood, in units of the features. ``"auto"``: the category's median distance to the 10th
        nearest image.
    max_neighbours
        Of more images within `radius`, the nearest so many count.
    as_released
        Radius 0, which makes every image a super-outlier and the order random.
    keep, random_state
        See BaseReducer; the seed decides ties, so the order of super-outliers.

    Attributes
    ----------
    persistence_ : (n,) float64
        Largest persistence, 0 for super-outliers.
    super_outlier_ : (n,) bool
        Whether fewer than 2 images are near.
    radii_ : dict
        Category label -> radius used.
    """

    name = "phl"
    family = "ranking"
    cost = "n_c^2 * d + n * persistence of at most 200 neighbours"
    source = "persistent-homology landmarks, Stolz 2021 (arXiv 2103.14743); arXiv 2403.15150, family ranking"
    summary = "images whose neighbours enclose no hole (representative), or the largest ones (vital)"
    keeps = "hole-free"
    fails = "Images with 2 or 3 neighbours can have no hole about them: they tie at 0, often many, and come first."
    deterministic = True

    def __init__(
        self,
        *,
        keep: int | float = 0.25,
        landmark: str = "representative",
        version: str = "restrictedDim",
        dim: int = 1,
        radius: str | float = "auto",
        max_neighbours: int = 200,
        as_released: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.landmark = landmark
        self.version = version
        self.dim = dim
        self.radius = radius
        self.max_neighbours = max_neighbours
        self.as_released = as_released

    def _check_params(self) -> None:
        for parameter, known in (("landmark", LANDMARKS), ("version", VERSIONS)):
            value = getattr(self, parameter)
            if value not in known:
                hint = nearest(str(value), known)
                raise InputError(f"{parameter}={value!r} is not one of {', '.join(known)}.{hint}")
        for parameter, least in (("dim", 0), ("max_neighbours", 2)):
            value = getattr(self, parameter)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
                raise InputError(f"{parameter}={value!r} is not a whole number of at least {least}.")
        number = isinstance(self.radius, numbers.Real) and not isinstance(self.radius, bool)
        if self.radius != "auto" and not (number and 0 <= float(self.radius) < float("inf")):
            raise InputError(f"radius={self.radius!r} is neither 'auto' nor a distance of at least 0.")

    def _prepare(self, problem: Problem) -> None:
        self.persistence_ = np.zeros(len(problem.codes))
        self.super_outlier_ = np.zeros(len(problem.codes), bool)
        self.radii_: dict[Any, float] = {}

    def _score(self, pool: Pool) -> FloatArray:
        points = CentredPoints.of(pool.X)
        with progress(f"phl {pool.label}: neighbours", len(pool), "images") as advance:
            rows, distances = nearest_neighbours(points, max(int(self.max_neighbours), AUTO_NEIGHBOUR), advance)
        radius = self._radius(distances)
        within = (distances[:, : self.max_neighbours] <= radius * (1.0 + ROUNDING)).sum(axis=1)
        outlier = within < 2
        near = [row[:count] if count >= 2 else row[:0] for row, count in zip(rows, within, strict=True)]
        dims = list(range(int(self.dim) + 1)) if self.version == "multiDim" else [int(self.dim)]
        with progress(f"phl {pool.label}: persistence", len(pool), "images") as advance:
            persistence = neighbourhood_persistence(points, near, dims, advance)
        self.radii_[pool.label] = radius
        self.persistence_[pool.rows] = persistence
        self.super_outlier_[pool.rows] = outlier
        return np.where(outlier, -np.inf, -persistence if self.landmark == "representative" else persistence)

    def _radius(self, distances: FloatArray) -> float:
        if self.as_released:
            return 0.0
        if self.radius != "auto":
            return float(self.radius)
        if not distances.shape[1]:
            return 0.0
        return float(np.median(distances[:, min(AUTO_NEIGHBOUR, distances.shape[1]) - 1]))
