"""Persistent-homology landmarks (phl): rank images by the holes in their neighbourhood in feature space."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.machine.parallel import in_threads, slices
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.distances.neighbours import nearest_neighbours
from detreduce.reducers.engine.partitions import NEIGHBOURHOODS
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput

BATCH = 64
ROUNDING = 1e-9
"""Relative tolerance. A distance counts as within the radius if it exceeds the radius by at most this fraction. A
persistence counts as 0 if it is below this fraction of the largest distance in the neighbourhood.
"""
LANDMARKS = ("representative", "vital")
VERSIONS = ("restrictedDim", "multiDim")
AUTO_NEIGHBOUR = 10
"""With `radius="auto"`, the radius is the median distance from an image to this neighbour."""


class PersistentHomologyLandmarks(ScoringReducer):
    """Persistent-homology landmarks: rank images by the holes in their neighbourhood in feature space.

    The neighbours of an image are the other images of its category at a distance of at most `radius`. Persistent
    homology finds holes (gaps, loops, voids) between the neighbours. The Vietoris-Rips diagram of the neighbours gives
    a persistence for each hole. The persistence of the image is the largest finite persistence. An image with fewer
    than 2 neighbours is a super-outlier.

    For representative landmarks (see `landmark`), scores_ is minus the persistence. For vital landmarks, scores_ is the
    persistence. For super-outliers, scores_ is -inf. Many images score 0, and the seed decides between them.

    Parameters
    ----------
    landmark
        ``"representative"`` takes the smallest persistence first. ``"vital"`` takes the largest persistence first. Both
        take super-outliers last.
    version
        ``"restrictedDim"`` uses the persistence in dimension `dim`. ``"multiDim"`` uses the largest persistence over
        dimensions 0 to `dim`.
    dim
        Dimension of the holes: 0 for gaps, 1 for loops, 2 for voids (slow).
    radius
        Radius of a neighbourhood, in units of the features. ``"auto"`` is the median distance of an image to the 10th
        nearest image of its category.
    max_neighbours
        Largest number of neighbours. If more images are within `radius`, only the nearest images are used.
    as_released
        Whether to use radius 0, as in the released code. Then every image is a super-outlier, and the order is random.
    keep, random_state
        See BaseReducer. The seed breaks ties, for instance between super-outliers.

    Attributes
    ----------
    persistence_ : (n,) float64
        Persistence of each image. Super-outliers have 0.
    super_outlier_ : (n,) bool
        True if fewer than 2 other images are within the radius.
    radii_ : dict
        Category label -> radius that was used.
    """

    name = "phl"
    family = "ranking"
    cost = "n_c^2 * d + n * (operations for the persistence of at most 200 neighbours)"
    source = "persistent-homology landmarks, Stolz 2021 (arXiv 2103.14743); a ranking method in arXiv 2403.15150"
    summary = "images with no empty region (hole) between their neighbours in feature space"
    keeps = "without holes"
    fails = "Images with 2 or 3 neighbours come first, because so few neighbours never enclose a hole."
    no_partitions = NEIGHBOURHOODS
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
                raise InputError(f"{parameter}={value!r} is not an integer of at least {least}.")
        number = isinstance(self.radius, numbers.Real) and not isinstance(self.radius, bool)
        if self.radius != "auto" and not (number and 0 <= float(self.radius) < float("inf")):
            raise InputError(f"radius={self.radius!r} must be 'auto' or a distance of at least 0.")

    def _prepare(self, problem: FitInput) -> None:
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
        """Return the radius of a neighbourhood, given the (n, count) distances from images to their neighbours."""
        if self.as_released:
            return 0.0
        if self.radius != "auto":
            return float(self.radius)
        if not distances.shape[1]:
            return 0.0
        return float(np.median(distances[:, min(AUTO_NEIGHBOUR, distances.shape[1]) - 1]))


def neighbourhood_persistence(
    points: CentredPoints, neighbours: list[IntArray], dims: list[int], advance: Callable[[int], object]
) -> FloatArray:
    """Return (n,) the largest finite persistence in the Vietoris-Rips diagram of each image's neighbours.

    Only holes of the dimensions `dims` count. If there are none, the persistence is 0. Neighbourhoods are processed in
    threads, because GUDHI releases Python's global interpreter lock.
    """
    # fewer than 2k + 2 points cannot have a hole of dimension k
    busy = np.array([i for i, near in enumerate(neighbours) if len(near) >= 2 * min(dims) + 2], np.int64)
    largest = np.zeros(len(neighbours))
    batches = [busy[part] for part in slices(len(busy), BATCH)]

    def work(batch: IntArray) -> list[float]:
        """Return the largest bar of each landmark of a batch."""
        return _largest_bars(points, batch, [neighbours[i] for i in batch], dims)

    for batch, bars in zip(batches, in_threads(work, batches), strict=True):
        largest[batch] = bars
        advance(len(batch))
    return largest


def _largest_bars(points: CentredPoints, rows: IntArray, neighbours: list[IntArray], dims: list[int]) -> list[float]:
    """Return the persistence of each of `rows`, in units of the features."""
    from gudhi.sklearn.rips_persistence import RipsPersistence

    matrices = [_distance_matrix(points, row, near) for row, near in zip(rows, neighbours, strict=True)]
    rips: Any = RipsPersistence(homology_dimensions=dims, input_type="full distance matrix")
    bars = []
    for diagrams, matrix in zip(rips.fit_transform(matrices), matrices, strict=True):
        lengths = np.concatenate([diagram[:, 1] - diagram[:, 0] for diagram in diagrams])
        longest = float(lengths[np.isfinite(lengths)].max(initial=0.0))
        bars.append(longest * points.scale if longest > ROUNDING * matrix.max() else 0.0)
    return bars


def _distance_matrix(points: CentredPoints, row: int, near: IntArray) -> FloatArray:
    """Return the symmetric matrix of distances between the neighbours of `row`."""
    # use coordinates relative to the image itself, because large coordinates would lose digits
    Z = points.Z[near] - points.Z[row]
    squares = np.einsum("ij,ij->i", Z, Z)
    squared = squares[:, None] + squares - 2.0 * (Z @ Z.T)
    distances = np.sqrt(squared.clip(0.0))
    np.fill_diagonal(distances, 0.0)
    return np.maximum(distances, distances.T)
