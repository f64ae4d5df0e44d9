"""Group similar pictures: each member of a group is similar to the leader, which is the group's first picture.

A picture is compared only with leaders, so memory grows only linearly with the number of pictures.
"""

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
from detreduce.machine.parallel import one_blas_thread

CANDIDATE = 0.65
"""Lowest correlation of two descriptors, in any orientation, for which the pictures are aligned."""

MOST_CANDIDATES = 200
"""Largest number of pictures with which one picture is aligned. The most similar descriptors come first."""

UNSURE = (0.4, 0.95)
"""Similarities for which two pictures are aligned in both directions. Few pairs have such a similarity."""

_BATCH = 8
_QUERIES, _COLUMNS = 128, 1024

INVERSES = np.array([ORIENTATIONS.index(orientation.inverse) for orientation in ORIENTATIONS], np.int64)

IntArray = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Hits = tuple[IntArray, IntArray, Floats]


@dataclass(frozen=True, slots=True)
class Match:
    """A picture and the similar picture that it was matched with.

    Attributes
    ----------
    member
        Position of the picture.
    leader
        Position of the matched picture: the leader of the group, or the most similar picture.
    similarity
        Similarity of the two pictures.
    orientation
        Index in `ORIENTATIONS` of the orientation that changes the leader into the member.
    """

    member: int
    leader: int
    similarity: float
    orientation: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """The pictures that are probably similar to one picture (the query), the most probable first.

    Attributes
    ----------
    places
        Positions of the candidates.
    orientations
        For each candidate, the index in `ORIENTATIONS` of its best orientation.
    """

    places: IntArray
    orientations: IntArray

    def among(self, places: list[int]) -> Candidates:
        """Return only the candidates whose positions are in `places`."""
        kept = np.isin(self.places, places)
        return Candidates(self.places[kept], self.orientations[kept])


class Comparison(Protocol):
    """A way to compare pictures: a fast search for candidates, then an exact comparison with each candidate."""

    comparable: npt.NDArray[np.bool_]

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the candidates in `against` for each query."""

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Return the exact similarity of two pictures."""


class PixelComparison:
    """Comparison by pixels: descriptors in eight orientations find candidates, and alignment confirms them."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.rows = describe(pixels)
        self.comparable: npt.NDArray[np.bool_] = np.any(self.rows, axis=1)

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the pictures whose descriptors correlate with the query's descriptor in one of eight orientations."""
        # to undo an orientation on the few queries gives the same result as to apply it to all other pictures
        turned = in_all_orientations(self.rows[queries]).reshape(-1, self.rows.shape[1])
        hits = _find_hits(turned, self.rows, against, CANDIDATE, pool)
        return _group_by_query(hits, len(queries), INVERSES)

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Return the similarity of two pictures. `orientation` changes the picture at `place` into the query.

        An alignment may succeed in one direction and fail in the other. So that the order of the pictures changes
        nothing, the pixels decide the first direction, and a similarity in `UNSURE` is measured in both directions.
        """
        one, other, change = self.pixels[place], self.pixels[query], ORIENTATIONS[orientation]
        if other.tobytes() < one.tobytes():
            one, other, change = other, one, change.inverse
        similarity = overlay(one, change.inverse.apply(other)).similarity
        if UNSURE[0] <= similarity < UNSURE[1]:
            return max(similarity, overlay(other, change.apply(one)).similarity)
        return similarity


class FeatureComparison:
    """Comparison by features: the cosine of two rows of `X`."""

    def __init__(self, X: npt.NDArray[np.floating], threshold: float) -> None:
        norms = np.linalg.norm(X, axis=1, keepdims=True)
        self.comparable = norms[:, 0] > 0
        self.rows = np.asarray(X / np.where(norms > 0, norms, 1.0), np.float32)
        self.threshold = threshold

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the pictures whose cosine with the query reaches the threshold, up to rounding."""
        # float32 rounding must not hide an equal row
        hits = _find_hits(self.rows[queries], self.rows, against, self.threshold - 1e-5, pool)
        return _group_by_query(hits, len(queries), np.zeros(1, np.int64))

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Return the cosine of two rows, computed in float64."""
        cosine = float(self.rows[query].astype(np.float64) @ self.rows[place].astype(np.float64))
        return min(1.0, cosine) if cosine < 1 - 1e-6 else 1.0


def star_groups(
    comparison: Comparison,
    order: IntArray,
    threshold: float,
    workers: int | None = None,
    always_lead: Collection[int] = (),
    title: str = "Comparing images",
) -> list[Match]:
    """Group the pictures in `order`. Each picture joins a leader with enough similarity, or becomes a leader.

    Pictures in `always_lead` always become leaders. The similarity of a member to its leader is at least the threshold,
    so a chain of small differences cannot join very different pictures. In any order, a search among the leaders finds
    nothing, unless a leader must lead or has more than `MOST_CANDIDATES` candidates. `title` is shown on a terminal.
    """
    order = order[comparison.comparable[order]]
    leaders = np.empty(len(order), np.int64)
    count = 0
    matches: list[Match] = []
    with _threads(workers) as pool, progress(title, len(order), "images") as advance:
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
    comparison: Comparison,
    queries: IntArray,
    against: IntArray,
    threshold: float,
    workers: int | None = None,
    title: str = "Comparing images",
) -> list[Match]:
    """Match each query with the most similar picture in `against`, if its similarity reaches the threshold."""
    queries, against = queries[comparison.comparable[queries]], against[comparison.comparable[against]]
    matches: list[Match] = []
    with _threads(workers) as pool, progress(title, len(queries), "images") as advance:
        for start in range(0, len(queries), _QUERIES):
            block = queries[start : start + _QUERIES]
            confirmed = _confirm_all(comparison, block, against, threshold, pool)
            matches += [match for match in confirmed if match is not None]
            advance(len(block))
    return matches


@contextmanager
def _threads(workers: int | None) -> Iterator[Executor]:
    """Start threads that compare pictures. In this block, OpenCV and BLAS do not start their own threads."""
    count = workers or available_cores()
    with decoding_threads(count, "detreduce-compare") as pool, one_blas_thread():
        yield pool


def _confirm_all(
    comparison: Comparison, queries: IntArray, against: IntArray, threshold: float, pool: Executor
) -> Iterator[Match | None]:
    """Yield the best match in `against` for each query, or None. The pool computes the matches."""
    likely = comparison.search(queries, against, pool) if len(against) else [None] * len(queries)

    def look(query: int, candidates: Candidates | None) -> Match | None:
        return None if candidates is None else _confirm(comparison, query, candidates, threshold)

    return pool.map(look, queries.tolist(), likely)


def _confirm(comparison: Comparison, query: int, likely: Candidates, threshold: float) -> Match | None:
    """Return the best match for a query, or None.

    The candidates are compared in batches, the most probable candidates first. The search stops after the first batch
    that contains a match.
    """
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


def _find_hits(queries: Floats, rows: Floats, against: IntArray, least: float, pool: Executor) -> Hits:
    """Find all pairs of a query and a picture in `against` with a dot product of at least `least`.

    Return the query number, the position and the product of each pair.
    """

    def block(start: int) -> Hits:
        columns = against[start : start + _COLUMNS]
        products = queries @ rows[columns].T
        hits = np.flatnonzero(products >= least)
        return hits // len(columns), columns[hits % len(columns)], products.ravel()[hits]

    numbers, places, values = zip(*pool.map(block, range(0, len(against), _COLUMNS)), strict=True)
    return np.concatenate(numbers), np.concatenate(places), np.concatenate(values)


def _group_by_query(hits: Hits, count: int, orientation_of: IntArray) -> list[Candidates]:
    """Return the candidates for each of `count` queries, the largest dot product first.

    `hits` are results of `_find_hits`, which searched all queries in the first orientation of `orientation_of`, then
    all queries in the second orientation, and so on.
    """
    numbers, places, values = hits
    query, orientation = numbers % count, orientation_of[numbers // count]
    order = np.lexsort((places, -values, query))
    ends = np.searchsorted(query[order], np.arange(1, count))
    return [Candidates(places[part], orientation[part]) for part in np.split(order, ends)]
