"""Coverage: the share of images that have a kept image among their nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.machine.parallel import slices
from detreduce.reducers.engine.ordering import TIE
from detreduce.reducers.engine.pool import FloatArray, IntArray, derive_rng
from detreduce.reducers.engine.validation import check_features, check_rows, encode_categories, resolve_seed
from detreduce.representativeness.checks import check_count
from detreduce.representativeness.distances import Stratum, strata
from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.nearest import near_rows, pair_distances

OTHERS = 32_768
"""Number of images that are compared with the query images at once."""
SPARE = 8
"""Number of additional candidates for the nearest rows, because rounding may swap rows at almost the same distance."""


@dataclass(frozen=True, kw_only=True)
class Coverage(Measurement):
    """The coverage of all images together (`value`) and of each image category.

    Attributes
    ----------
    neighbours
        The number k of nearest images, including the image itself.
    by_category
        Label of a category -> its coverage. If the category has no kept image, the coverage is 0.
    """

    neighbours: int
    by_category: Mapping[Any, float]


@dataclass(frozen=True, slots=True)
class CoverageOptions:
    """The options of `coverage`. The constructor raises InputError if one of them is not valid."""

    neighbours: int
    max_images: int | None
    seed: int

    def __post_init__(self) -> None:
        check_count(self.neighbours, "neighbours")
        check_count(self.max_images, "max_images", or_none=True)


def coverage(
    X: Any, categories: Any, selected_idx: Any, *, neighbours: int = 5, max_images: int | None = 1000, seed: Any = 0
) -> Coverage:
    """Measure the share of images that have a kept image among the k nearest images of their image category.

    This is the coverage of Naeem et al. 2020, *Reliable fidelity and diversity metrics for generative models*, with
    kept images instead of generated images. A kept image is always covered, because it is its own nearest image. All
    images at the same distance as the k-th nearest image count as nearest. Memory does not grow with n^2.

    Parameters
    ----------
    X
        (n, d) features of any float type.
    categories
        (n,) image category of each image. If it is None, all images are in one category.
    selected_idx
        The rows of X that are kept.
    neighbours
        The number k of nearest images, including the image itself. At least 1.
    max_images
        Largest number of left-out images to check in each category. If a category has more of them, a random sample of
        this size is checked. None means that all images are checked.
    seed
        Seed of the random samples.

    Returns
    -------
    Coverage
        `at_random` is the expected coverage of a random subset with the same number of images of each category.

    Raises
    ------
    InputError
        The lengths of the arrays do not match, a feature is NaN, or an option is invalid.
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
    """Measure the coverage of arrays that are already checked.

    `advance` is called with the number of images that were just processed.
    """
    k, most, seed = int(options.neighbours), options.max_images, options.seed
    shares, expected = np.zeros(len(parts)), np.zeros(len(parts))
    sizes = np.array([len(part) for part in parts])
    looked_at = 0
    for part, label in zip(parts, labels, strict=True):
        queries = part.left_out
        if most is not None and len(queries) > most:
            queries = np.sort(derive_rng(seed, "coverage", label).choice(queries, most, replace=False))
        if len(part.kept):
            hits = _find_covered(X, queries, part, k).mean() if len(queries) else 0.0
            shares[part.code] = (len(part.kept) + hits * len(part.left_out)) / len(part)
            expected[part.code] = _expected_coverage(len(part), len(part.kept), k)
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


def _expected_coverage(n: int, kept: int, neighbours: int) -> float:
    """Return the probability that `kept` random images out of n contain at least one of `neighbours` given images."""
    rest = np.arange(min(neighbours, n))
    return 1.0 - float(np.prod((n - kept - rest).clip(0) / (n - rest)))


def _find_covered(
    X: npt.NDArray[np.floating], queries: IntArray, part: Stratum, neighbours: int
) -> npt.NDArray[np.bool_]:
    """Return (m,) bool: for each query image, whether a kept image is among its `neighbours` nearest images.

    To find this out, count the images that are nearer than all kept images, including the query image itself. The
    result is True if this count is below `neighbours`.
    """
    to_kept = np.full(len(queries), np.inf)
    for block in slices(len(part.kept), OTHERS):
        to_kept = np.minimum(to_kept, _nearest_distances(X, queries, part.kept[block], 1).min(axis=1))
    nearer = np.zeros(len(queries), np.int64)
    open_ = np.arange(len(queries))
    for block in slices(len(part.left_out), OTHERS):
        distances = _nearest_distances(X, queries[open_], part.left_out[block], neighbours)
        nearer[open_] += (distances < to_kept[open_, None] * (1.0 - TIE)).sum(axis=1)
        open_ = open_[nearer[open_] < neighbours]
        if not len(open_):
            break
    return nearer < neighbours


def _nearest_distances(X: npt.NDArray[np.floating], queries: IntArray, others: IntArray, count: int) -> FloatArray:
    """Return the (m, g) distances from each query row to its nearest rows in `others`.

    There are g = min(`count` + `SPARE`, len(others)) distances for each query row.
    """
    return pair_distances(X, queries, near_rows(X, queries, others, count + SPARE), "euclidean")
