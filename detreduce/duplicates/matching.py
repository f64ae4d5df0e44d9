"""Star-shaped groups of pictures: each picture is compared only with the leaders of groups; memory grows with n."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.duplicates.alignment import overlay
from detreduce.duplicates.descriptors import describe, in_all_orientations
from detreduce.duplicates.orientations import ORIENTATIONS
from detreduce.duplicates.signatures import available_cores
from detreduce.images.batches import decoding_threads

CANDIDATE = 0.65
"""Pictures whose descriptors correlate less than this in every orientation are not aligned."""

MOST_CANDIDATES = 200
"""A picture is aligned with at most this many others, the likeliest first."""

_BATCH = 8
_QUERIES, _COLUMNS = 128, 1024

INVERSES = np.array([ORIENTATIONS.index(orientation.inverse) for orientation in ORIENTATIONS], np.int64)

IntArray = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Hits = tuple[IntArray, IntArray, Floats]


@dataclass(frozen=True, slots=True)
class Match:
    """Places of a picture and of its leader, their similarity, and the orientation of the picture."""

    member: int
    leader: int
    similarity: float
    orientation: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Likely partners of one query by place, and the orientation that fits each; the likeliest first."""

    places: IntArray
    orientations: IntArray

    def among(self, places: list[int]) -> Candidates:
        """Return the candidates that are in `places`."""
        kept = np.isin(self.places, places)
        return Candidates(self.places[kept], self.orientations[kept])


class Comparison(Protocol):
    """How pictures are compared: a fast search for candidates, and an exact check of each."""

    comparable: npt.NDArray[np.bool_]

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the likely partners of each query among `against`."""

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Return the exact similarity of two pictures."""


class PixelComparison:
    """Descriptors in eight orientations find candidates; alignment confirms them."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.rows = describe(pixels)
        self.comparable: npt.NDArray[np.bool_] = np.any(self.rows, axis=1)

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the partners whose descriptor correlates with the query's in one of the eight orientations."""
        # undoing an orientation on the few queries equals applying it to the many others
        turned = in_all_orientations(self.rows[queries]).reshape(-1, self.rows.shape[1])
        hits = _above(turned, self.rows, against, CANDIDATE, pool)
        return _by_query(hits, len(queries), INVERSES)

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Undo the query's orientation and align it with its partner."""
        undone = ORIENTATIONS[orientation].inverse.apply(self.pixels[query])
        return overlay(self.pixels[place], undone).similarity


class FeatureComparison:
    """The cosine of feature rows."""

    def __init__(self, X: npt.NDArray[np.floating], threshold: float) -> None:
        norms = np.linalg.norm(X, axis=1, keepdims=True)
        self.comparable = norms[:, 0] > 0
        self.rows = np.asarray(X / np.where(norms > 0, norms, 1.0), np.float32)
        self.threshold = threshold

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the partners within the threshold, up to rounding."""
        # rounding of float32 must not hide an equal row
        hits = _above(self.rows[queries], self.rows, against, self.threshold - 1e-5, pool)
        return _by_query(hits, len(queries), np.zeros(1, np.int64))

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Return the cosine, computed in float64."""
        cosine = float(self.rows[query].astype(np.float64) @ self.rows[place].astype(np.float64))
        return min(1.0, cosine) if cosine < 1 - 1e-6 else 1.0


def star_groups(
    comparison: Comparison,
    order: IntArray,
    threshold: float,
    workers: int | None = None,
    always_lead: Collection[int] = (),
) -> list[Match]:
    """Take the pictures in `order`: each joins a leader that is similar enough, or becomes a leader.

    Pictures in `always_lead` always become leaders. Every member is within the threshold of its leader, so no chain of
    small differences joins pictures that differ much. Pictures are compared only with leaders, so memory does not grow
    with the number of pairs.
    """
    order = order[comparison.comparable[order]]
    leaders = np.empty(len(order), np.int64)
    count = 0
    matches: list[Match] = []
    with _threads(workers) as pool, progress("Comparing images", len(order), "images") as advance:
        for start in range(0, len(order), _QUERIES):
            block = order[start : start + _QUERIES]
            confirmed = _confirm_all(comparison, block, leaders[:count], threshold, pool)
            new: list[int] = []
            for query, match, near in zip(
                block.tolist(), confirmed, comparison.search(block, block, pool), strict=True
            ):
                if match is None and new:
                    match = _confirm(comparison, query, near.among(new), threshold)
                if match is None or query in always_lead:
                    new.append(query)
                else:
                    matches.append(match)
                advance()
            leaders[count : count + len(new)] = new
            count += len(new)
    return matches


def nearest_matches(
    comparison: Comparison, queries: IntArray, against: IntArray, threshold: float, workers: int | None = None
) -> list[Match]:
    """Match each query with the most similar of `against`, if one is within the threshold."""
    queries, against = queries[comparison.comparable[queries]], against[comparison.comparable[against]]
    matches: list[Match] = []
    with _threads(workers) as pool, progress("Comparing images", len(queries), "images") as advance:
        for start in range(0, len(queries), _QUERIES):
            block = queries[start : start + _QUERIES]
            confirmed = _confirm_all(comparison, block, against, threshold, pool)
            matches += [match for match in confirmed if match is not None]
            advance(len(block))
    return matches


@contextmanager
def _threads(workers: int | None) -> Iterator[Executor]:
    """Start threads that multiply blocks and align pictures; until they end, the libraries start none of their own."""
    from threadpoolctl import threadpool_limits

    count = workers or available_cores()
    with decoding_threads(count, "detreduce-compare") as pool, threadpool_limits(1, user_api="blas"):
        yield pool


def _confirm_all(
    comparison: Comparison, queries: IntArray, against: IntArray, threshold: float, pool: Executor
) -> Iterator[Match | None]:
    likely = comparison.search(queries, against, pool) if len(against) else [None] * len(queries)

    def look(query: int, candidates: Candidates | None) -> Match | None:
        return None if candidates is None else _confirm(comparison, query, candidates, threshold)

    return pool.map(look, queries.tolist(), likely)


def _confirm(comparison: Comparison, query: int, likely: Candidates, threshold: float) -> Match | None:
    """Return the best match of the first batch of candidates that has one; later candidates are less likely."""
    for start in range(0, min(len(likely.places), MOST_CANDIDATES), _BATCH):
        best: Match | None = None
        for place, orientation in zip(
            likely.places[start : start + _BATCH].tolist(),
            likely.orientations[start : start + _BATCH].tolist(),
            strict=True,
        ):
            similarity = comparison.confirm(query, place, orientation)
            if similarity >= threshold and (best is None or similarity > best.similarity):
                best = Match(query, place, similarity, orientation)
        if best is not None:
            return best
    return None


def _above(queries: Floats, rows: Floats, against: IntArray, least: float, pool: Executor) -> Hits:
    """Return query number, place and product of all pairs whose product is at least `least`, block by block."""

    def block(start: int) -> Hits:
        columns = against[start : start + _COLUMNS]
        products = queries @ rows[columns].T
        hits = np.flatnonzero(products >= least)
        return hits // len(columns), columns[hits % len(columns)], products.ravel()[hits]

    numbers, places, values = zip(*pool.map(block, range(0, len(against), _COLUMNS)), strict=True)
    return np.concatenate(numbers), np.concatenate(places), np.concatenate(values)


def _by_query(hits: Hits, count: int, orientation_of: IntArray) -> list[Candidates]:
    """Sort hits by query, then likeliest first; each query was searched once in each of `orientation_of`."""
    numbers, places, values = hits
    query, orientation = numbers % count, orientation_of[numbers // count]
    order = np.lexsort((places, -values, query))
    ends = np.searchsorted(query[order], np.arange(1, count))
    return [Candidates(places[part], orientation[part]) for part in np.split(order, ends)]
