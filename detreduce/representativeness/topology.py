"""The distance between the persistence diagrams of the full set and of the kept images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError
from detreduce.reducers.engine.pool import FloatArray, IntArray, derive_rng
from detreduce.reducers.engine.validation import check_features, check_rows, resolve_seed
from detreduce.representativeness.checks import check_count, check_dimensions, check_metric
from detreduce.representativeness.measurement import Measurement

DIMENSIONS = (0, 1)
POINTS = 1000
"""Largest number of points in one Vietoris-Rips diagram. A diagram of this size takes about 0.25 s."""


@dataclass(frozen=True, kw_only=True)
class DiagramDistance(Measurement):
    """A distance between two persistence diagrams.

    `value` and `at_random` combine all dimensions of homology. They are the maximum over dimensions for the bottleneck
    distance, and the sum for the Wasserstein distance.

    Attributes
    ----------
    metric
        ``bottleneck`` or ``wasserstein``.
    by_dimension
        Dimension of homology -> distance between the full set and the subset.
    at_random_by_dimension
        Dimension of homology -> distance between the full set and a random subset of the same size.
    """

    metric: str
    by_dimension: Mapping[int, float]
    at_random_by_dimension: Mapping[int, float]


def diagram_distance(
    X: Any,
    selected_idx: Any,
    *,
    metric: str = "bottleneck",
    dimensions: Sequence[int] = DIMENSIONS,
    max_points: int | None = POINTS,
    seed: Any = 0,
) -> DiagramDistance:
    """Measure the distance between the Vietoris-Rips persistence diagrams of all images and of the kept images.

    If all images are used, the bottleneck distance is at most twice the Hausdorff distance (`covering_radius` without
    categories). Source: Chazal, de Silva and Oudot 2014, *Persistence stability for geometric complexes*. GUDHI
    computes the diagrams and the distances.

    Parameters
    ----------
    X
        (n, d) features of any float type.
    selected_idx
        The rows of X that are kept. There must be at least one.
    metric
        The points of one diagram are moved until they match the other diagram. ``"bottleneck"`` is the largest move.
        ``"wasserstein"`` is the sum of all moves (order 1, maximum norm, with an error of up to 1 %).
    dimensions
        Dimensions of homology: 0 for gaps between clusters, 1 for loops, and 2 for voids (slow).
    max_points
        Largest number of images in one diagram. If there are more, a random sample of this size is used. None means
        that all images are used, and memory then grows with n^2.
    seed
        Seed of the random samples.

    Returns
    -------
    DiagramDistance
        Distances in units of the features. `at_random` is the distance for one random subset of the same size.

    Raises
    ------
    InputError
        The lengths of the arrays do not match, a feature is NaN, no image is kept, or an option is invalid.
    """
    check_metric(metric)
    check_count(max_points, "max_points", or_none=True)
    dimensions, seed = check_dimensions(dimensions), resolve_seed(seed)
    features = check_features(X, needed=True)
    chosen = check_rows(selected_idx, len(features), "selected_idx")
    if not len(chosen):
        raise InputError("selected_idx is empty: keep at least one image.")
    return compare_diagrams(features, chosen, metric=metric, dimensions=dimensions, max_points=max_points, seed=seed)


def compare_diagrams(
    X: npt.NDArray[np.floating],
    chosen: IntArray,
    *,
    metric: str = "bottleneck",
    dimensions: Sequence[int] = DIMENSIONS,
    max_points: int | None = POINTS,
    seed: int = 0,
) -> DiagramDistance:
    """Measure the distance between the diagrams of all rows and of the kept rows, for arrays that are already
    checked.
    """
    rng = derive_rng(seed, "diagrams")
    n = len(X)
    full, kept = _sample_rows(np.arange(n), max_points, rng), _sample_rows(chosen, max_points, rng)
    drawn_at_random = rng.choice(n, len(kept), replace=False)
    with ThreadPoolExecutor(3) as executor:
        drawn = (full, kept, drawn_at_random)
        whole, reduced, random = executor.map(lambda rows: _diagrams(X, rows, dimensions), drawn)
    found = [_diagram_distance(*pair, metric) for pair in zip(whole, reduced, strict=True)]
    by_chance = [_diagram_distance(*pair, metric) for pair in zip(whole, random, strict=True)]
    together = max if metric == "bottleneck" else sum
    return DiagramDistance(
        value=float(together(found)),
        images=len(full),
        kept=len(kept),
        exact=len(full) == n and len(kept) == len(chosen),
        seed=seed,
        at_random=float(together(by_chance)),
        metric=metric,
        by_dimension=dict(zip(map(int, dimensions), found, strict=True)),
        at_random_by_dimension=dict(zip(map(int, dimensions), by_chance, strict=True)),
    )


def _sample_rows(rows: IntArray, count: int | None, rng: np.random.Generator) -> IntArray:
    """Return a random sample of `count` rows, or all rows if there are not more than that."""
    return rows if count is None or len(rows) <= count else np.sort(rng.choice(rows, count, replace=False))


def _diagrams(X: npt.NDArray[np.floating], rows: IntArray, dimensions: Sequence[int]) -> list[FloatArray]:
    """Return one persistence diagram for each dimension, as (bars, 2) birth and death of each bar."""
    from gudhi.sklearn.rips_persistence import RipsPersistence
    from scipy.spatial.distance import pdist, squareform

    distances = squareform(pdist(X[rows])) if len(rows) > 1 else np.zeros((1, 1))
    rips: Any = RipsPersistence(homology_dimensions=list(dimensions), input_type="full distance matrix")
    return [np.asarray(diagram, np.float64).reshape(-1, 2) for diagram in rips.fit_transform([distances])[0]]


def _diagram_distance(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], metric: str) -> float:
    """Return the distance between two persistence diagrams of one dimension."""
    import gudhi
    from gudhi.hera import wasserstein_distance

    if metric == "bottleneck":
        found = float(gudhi.bottleneck_distance(first, second))
        # for equal diagrams, GUDHI returns the smallest positive double instead of 0
        return found if found > np.finfo(float).tiny else 0.0
    return float(wasserstein_distance(first, second, order=1.0, internal_p=np.inf, delta=0.01))
