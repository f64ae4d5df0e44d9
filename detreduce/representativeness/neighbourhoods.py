"""Coverage: the share of images with a kept image among their nearest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.reducers.engine.ordering import TIE
from detreduce.reducers.engine.parallel import slices
from detreduce.reducers.engine.pool import FloatArray, IntArray, derive_rng
from detreduce.reducers.engine.validation import check_features, check_rows, encode_categories, resolve_seed
from detreduce.representativeness.checks import check_count
from detreduce.representativeness.distances import Stratum, strata
from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.nearest import near_rows, pair_distances

OTHERS = 32_768
"""Images that all queries are compared with at once."""
SPARE = 8
"""Extra candidates for the nearest rows: rounding may swap rows at almost the same distance."""


@dataclass(frozen=True, kw_only=True)
class Coverage(Measurement):
    """Coverage of each category, and of all together, weighted by their images.

    Attributes
    ----------
    neighbours
        k: number of nearest images that are looked at, the image itself included.
    by_category
        Label -> coverage; 0 where nothing is kept.
    """

    neighbours: int
    by_category: Mapping[Any, float]


@dataclass(frozen=True, slots=True)
class CoverageOptions:
    """Number of nearest images, and which images they are looked up for; checked."""

    neighbours: int
    max_images: int | None
    seed: int

    def __post_init__(self) -> None:
        check_count(self.neighbours, "neighbours")
        check_count(self.max_images, "max_images", or_none=True)


def coverage(
    X: Any, categories: Any, selected_idx: Any, *, neighbours: int = 5, max_images: int | None = 1000, seed: Any = 0
) -> Coverage:
    """Measure the share of images with a kept image among the nearest of their category.

    The coverage of Naeem et al. 2020, *Reliable fidelity and diversity metrics for generative models*, with the kept
    images in place of generated ones. A kept image is covered, since it is its own nearest image. Images that tie at
    the last place all count. Memory does not grow with n^2.

    Parameters
    ----------
    X
        (n, d) features of any float type.
    categories
        (n,) labels, or None for one category.
    selected_idx
        Kept rows of X.
    neighbours
        k, at least 1; the image itself is one of them.
    max_images
        Most images left out of a category that are looked at, drawn at random; None for all.
    seed
        Seed of that draw.

    Returns
    -------
    Coverage
        `at_random` is the expected coverage of the same number of images of each category, drawn uniformly.

    Raises
    ------
    InputError
        For arrays that do not fit each other, NaN, or numbers out of range.
    """
    options = CoverageOptions(neighbours, max_images, resolve_seed(seed))
    features = check_features(X, needed=True)
    codes, labels = encode_categories(categories, len(features))
    chosen = check_rows(selected_idx, len(features), "selected_idx")
    with progress("coverage", len(features), "images") as advance:
        return category_coverage(features, list(strata(codes, len(labels), chosen)), labels, options, advance)


def category_coverage(
    X: npt.NDArray[np.floating],
    parts: list[Stratum],
    labels: list[Any],
    options: CoverageOptions,
    advance: Callable[[int], object],
) -> Coverage:
    """Measure coverage on checked arrays; `advance` is called with the images done."""
    k, most, seed = int(options.neighbours), options.max_images, options.seed
    shares, expected = np.zeros(len(parts)), np.zeros(len(parts))
    sizes = np.array([len(part) for part in parts])
    looked_at = 0
    for part, label in zip(parts, labels, strict=True):
        queries = part.left_out
        if most is not None and len(queries) > most:
            queries = np.sort(derive_rng(seed, "coverage", label).choice(queries, most, replace=False))
        if len(part.kept):
            hits = _covered(X, queries, part, k).mean() if len(queries) else 0.0
            shares[part.code] = (len(part.kept) + hits * len(part.left_out)) / len(part)
            expected[part.code] = _expected(len(part), len(part.kept), k)
        looked_at += len(queries) + len(part.kept)
        advance(len(part))
    exact = looked_at == len(X)
    return Coverage(
        value=float(shares @ sizes / sizes.sum()),
        images=looked_at,
        kept=sum(len(part.kept) for part in parts),
        exact=exact,
        seed=None if exact else seed,
        at_random=float(expected @ sizes / sizes.sum()),
        neighbours=k,
        by_category={label: float(share) for label, share in zip(labels, shares, strict=True)},
    )


def _expected(n: int, kept: int, neighbours: int) -> float:
    """Return the probability that `kept` of n images, drawn uniformly, include one of `neighbours` given images."""
    rest = np.arange(min(neighbours, n))
    return 1.0 - float(np.prod((n - kept - rest).clip(0) / (n - rest)))


def _covered(X: npt.NDArray[np.floating], queries: IntArray, part: Stratum, neighbours: int) -> npt.NDArray[np.bool_]:
    """Return (m,) whether fewer than `neighbours` images, the query included, are nearer to it than all kept ones."""
    to_kept = np.full(len(queries), np.inf)
    for block in slices(len(part.kept), OTHERS):
        to_kept = np.minimum(to_kept, _distances(X, queries, part.kept[block], 1).min(axis=1))
    nearer = np.zeros(len(queries), np.int64)
    open_ = np.arange(len(queries))
    for block in slices(len(part.left_out), OTHERS):
        distances = _distances(X, queries[open_], part.left_out[block], neighbours)
        nearer[open_] += (distances < to_kept[open_, None] * (1.0 - TIE)).sum(axis=1)
        open_ = open_[nearer[open_] < neighbours]
        if not len(open_):
            break
    return nearer < neighbours


def _distances(X: npt.NDArray[np.floating], queries: IntArray, others: IntArray, count: int) -> FloatArray:
    """Return (m, g) distances of each query to the nearest of `others`, at least `count` of them if there are any."""
    return pair_distances(X, queries, near_rows(X, queries, others, count + SPARE), "euclidean")
