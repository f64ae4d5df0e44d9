"""Coverage: the share of images that have a kept one among their nearest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.reducers.engine.ordering import TIE
from detreduce.reducers.engine.pool import FloatArray, IntArray, derive_rng
from detreduce.reducers.engine.validation import check_features, check_rows, encode_categories, resolve_seed
from detreduce.representativeness.checks import check_count
from detreduce.representativeness.chunks import each_chunk
from detreduce.representativeness.distances import Stratum, strata
from detreduce.representativeness.measurement import Measurement
from detreduce.representativeness.screening import Block, Screen

ROWS = 4096
QUERIES = 256
"""Rows that are held against the others at once."""
MARGIN = 1e-6
"""Squares that are nearer to each other are compared exactly."""


@dataclass(frozen=True, kw_only=True)
class Coverage(Measurement):
    """Coverage of all categories together, weighted by their images, and of each.

    Attributes
    ----------
    neighbours
        k: so many nearest images, an image itself included, are looked at.
    by_category
        Label -> coverage; 0 where nothing was kept.
    """

    neighbours: int
    by_category: Mapping[Any, float]


def coverage(
    X: Any, categories: Any, selected_idx: Any, *, neighbours: int = 5, max_images: int | None = 1000, seed: Any = 0
) -> Coverage:
    """Measure how many images have a kept one among the nearest images of their category.

    Naeem et al. 2020, *Reliable fidelity and diversity metrics for generative models*, with the kept images in the
    place of the generated ones. Kept images are covered, since each image is its own nearest one; equal distances at
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
        Of more images left out of a category, so many are drawn; None looks at all.
    seed
        Of that draw.

    Returns
    -------
    Coverage
        `at_random` is what is expected of a selection of as many images of each category, drawn uniformly.

    Raises
    ------
    InputError
        For arrays that do not fit each other, NaN, or numbers out of range.
    """
    check_count(neighbours, "neighbours")
    check_count(max_images, "max_images", or_none=True)
    seed = resolve_seed(seed)
    features = check_features(X, needed=True)
    codes, labels = encode_categories(categories, len(features))
    chosen = check_rows(selected_idx, len(features), "selected_idx")
    with progress("coverage", len(features), "images") as advance:
        return category_coverage(
            Screen.of(features),
            list(strata(codes, len(labels), chosen)),
            labels,
            neighbours=int(neighbours),
            max_images=max_images,
            seed=seed,
            advance=advance,
        )


def category_coverage(
    screen: Screen,
    parts: list[Stratum],
    labels: list[Any],
    *,
    neighbours: int,
    max_images: int | None,
    seed: int,
    advance: Callable[[int], object],
) -> Coverage:
    """Measure coverage on arrays that were checked; `advance` is called with the images done."""
    shares, expected = np.zeros(len(parts)), np.zeros(len(parts))
    sizes = np.array([len(part) for part in parts])
    looked = 0
    for part, label in zip(parts, labels, strict=True):
        queries = part.left
        if max_images is not None and len(queries) > max_images:
            queries = np.sort(derive_rng(seed, "coverage", label).choice(queries, max_images, replace=False))
        if len(part.kept):
            hits = _covered(screen, queries, part, neighbours).mean() if len(queries) else 0.0
            shares[part.code] = (len(part.kept) + hits * len(part.left)) / len(part)
            expected[part.code] = _expected(len(part), len(part.kept), neighbours)
        looked += len(queries) + len(part.kept)
        advance(len(part))
    exact = looked == len(screen.X)
    return Coverage(
        value=float(shares @ sizes / sizes.sum()),
        images=looked,
        kept=sum(len(part.kept) for part in parts),
        exact=exact,
        seed=None if exact else seed,
        at_random=float(expected @ sizes / sizes.sum()),
        neighbours=neighbours,
        by_category={label: float(share) for label, share in zip(labels, shares, strict=True)},
    )


def _expected(n: int, kept: int, neighbours: int) -> float:
    """Return the chance that one of `neighbours` given images of n is among `kept` ones drawn uniformly."""
    rest = np.arange(min(neighbours, n))
    return 1.0 - float(np.prod((n - kept - rest).clip(0) / (n - rest)))


def _covered(screen: Screen, queries: IntArray, part: Stratum, neighbours: int) -> npt.NDArray[np.bool_]:
    """Return (m,) whether fewer than `neighbours` images, itself included, are nearer to it than all kept ones are."""
    covered = np.ones(len(queries), bool)

    def look(part_of_queries: slice) -> None:
        covered[part_of_queries] = _covered_block(screen, queries[part_of_queries], part, neighbours)

    each_chunk(look, len(queries), QUERIES)
    return covered


def _covered_block(screen: Screen, queries: IntArray, part: Stratum, neighbours: int) -> npt.NDArray[np.bool_]:
    mine = screen.block(queries)
    radius = _nearest(screen, queries, mine, part.kept)
    closer = np.zeros(len(queries), np.int64)
    open_ = np.flatnonzero(radius > 0.0)
    for start in range(0, len(part.left), ROWS):
        rows = part.left[start : start + ROWS]
        closer[open_] += _closer(screen, queries[open_], mine[open_], rows, radius[open_])
        open_ = open_[closer[open_] < neighbours]
        if not len(open_):
            break
    return closer < neighbours


def _nearest(screen: Screen, queries: IntArray, mine: Block, kept: IntArray) -> FloatArray:
    """Return (m,) exact distances to the nearest kept row."""
    radius = np.full(len(queries), np.inf)
    for start in range(0, len(kept), ROWS):
        rows = kept[start : start + ROWS]
        others = screen.block(rows)
        upper = mine.upper(others)
        radius = np.minimum(radius, screen.distances(queries, rows[upper.argmin(axis=1)]))
        bars = (radius**2 * (1.0 + MARGIN)).astype(np.float32)
        doubtful = (mine.lower(others, upper) < bars[:, None]) & (radius > 0.0)[:, None]
        query, place = np.nonzero(doubtful)
        np.minimum.at(radius, query, screen.distances(queries[query], rows[place]))
    return radius


def _closer(screen: Screen, queries: IntArray, mine: Block, rows: IntArray, radius: FloatArray) -> IntArray:
    """Return (m,) how many of `rows` are nearer to each query than its radius; equal up to rounding is not nearer."""
    others = screen.block(rows)
    upper = mine.upper(others)
    surely = upper < (radius**2 * (1.0 - MARGIN)).astype(np.float32)[:, None]
    doubtful = mine.lower(others, upper) < (radius**2 * (1.0 + MARGIN)).astype(np.float32)[:, None]
    doubtful &= ~surely
    query, place = np.nonzero(doubtful)
    nearer = screen.distances(queries[query], rows[place]) < radius[query] * (1.0 - TIE)
    return surely.sum(axis=1) + np.bincount(query[nearer], minlength=len(queries))
