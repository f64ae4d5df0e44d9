"""Group similar pictures. Each group has a leader, its first picture, and every member is similar to the leader.

A picture is compared only with leaders, so the memory grows only linearly with the number of pictures.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.duplicates.pixels.alignment import overlay
from detreduce.duplicates.pixels.descriptors import OrientationScreen, describe, in_all_orientations
from detreduce.duplicates.pixels.orientations import ORIENTATIONS
from detreduce.duplicates.pixels.signatures import available_cores
from detreduce.errors import DetreduceWarning
from detreduce.images.batches import decoding_threads
from detreduce.machine.parallel import one_blas_thread

CANDIDATE = 0.65
"""Two pictures are aligned only if their descriptors have at least this correlation, in some orientation."""

MOST_CANDIDATES = 200
"""The largest number of alignments of one picture, starting with the most similar descriptors."""

UNSURE = (0.4, 0.95)
"""The range of similarities in which two pictures are aligned in both directions. Few pairs are in this range."""

_BATCH = 8
_QUERIES, _COLUMNS = 128, 1024

INVERSES = np.array([ORIENTATIONS.index(orientation.inverse) for orientation in ORIENTATIONS], np.int64)

IntArray = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Hits = tuple[IntArray, IntArray, Floats]
Screen = Callable[[IntArray], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Match:
    """A picture, and the similar picture with which it was matched.

    Attributes
    ----------
    member
        Number of the picture.
    leader
        Number of the picture that it was matched with: the leader of its group, or the most similar picture.
    similarity
        The similarity of the two pictures.
    orientation
        The orientation that turns the leader into the member, as an index in `ORIENTATIONS`.
    """

    member: int
    leader: int
    similarity: float
    orientation: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """The pictures that are probably similar to a given picture (the query), with the most probable ones first.

    Attributes
    ----------
    places
        Numbers of the candidates.
    orientations
        For each candidate, the orientation that fits best, as an index in `ORIENTATIONS`.
    """

    places: IntArray
    orientations: IntArray

    @property
    def cut(self) -> bool:
        """Whether there are more candidates than are compared exactly (`MOST_CANDIDATES`)."""
        return len(self.places) > MOST_CANDIDATES

    def among(self, places: list[int]) -> Candidates:
        """Return only those candidates whose numbers are in `places`."""
        kept = np.isin(self.places, places)
        return Candidates(self.places[kept], self.orientations[kept])


class PairComparison(Protocol):
    """A way to compare pictures: a fast search for candidates, followed by an exact comparison with each candidate."""

    comparable: npt.NDArray[np.bool_]

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the candidates in `against` for each query."""

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Return the exact similarity of two pictures."""


class PixelComparison:
    """Compare pictures by their pixels: descriptors in eight orientations find candidates, and alignment confirms
    them.
    """

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.rows = describe(pixels)
        self.comparable: npt.NDArray[np.bool_] = np.any(self.rows, axis=1)
        self._screen = OrientationScreen(self.rows)

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the pictures whose descriptors correlate with the query's, in one of the eight orientations."""
        # turn the few queries back instead of turning all other pictures; the result is the same
        turned = in_all_orientations(self.rows[queries]).reshape(-1, self.rows.shape[1])
        # BLAS rounds products of small matrices in another way, so a screen would change the last digit of a product
        screen = self._screen.of(self.rows[queries], CANDIDATE) if len(queries) == _QUERIES else None
        hits = _find_hits(turned, self.rows, against, CANDIDATE, pool, screen)
        return _group_by_query(hits, len(queries), INVERSES)

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Return the similarity of two pictures. `orientation` turns the picture at `place` into the query.

        The result does not depend on the order of the two pictures: their pixels determine which picture is aligned
        with which. Such an alignment may fail although the opposite one would succeed. Therefore, if the similarity is
        in the range `UNSURE`, both directions are measured, and the higher similarity is returned.
        """
        one, other, change = self.pixels[place], self.pixels[query], ORIENTATIONS[orientation]
        if other.tobytes() < one.tobytes():
            one, other, change = other, one, change.inverse
        similarity = overlay(one, change.inverse.apply(other)).similarity
        if UNSURE[0] <= similarity < UNSURE[1]:
            return max(similarity, overlay(other, change.apply(one)).similarity)
        return similarity


class FeatureComparison:
    """Compare images by their features: the similarity is the cosine of two rows of `X`."""

    def __init__(self, X: npt.NDArray[np.floating], threshold: float) -> None:
        norms = np.linalg.norm(X, axis=1, keepdims=True)
        self.comparable = norms[:, 0] > 0
        self.rows = np.asarray(X / np.where(norms > 0, norms, 1.0), np.float32)
        self.threshold = threshold

    def search(self, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
        """Return the images whose cosine with the query reaches the threshold, allowing for rounding errors."""
        # lower the threshold a little, so that float32 rounding does not hide an equal row
        hits = _find_hits(self.rows[queries], self.rows, against, self.threshold - 1e-5, pool)
        return _group_by_query(hits, len(queries), np.zeros(1, np.int64))

    def confirm(self, query: int, place: int, orientation: int) -> float:
        """Return the cosine of two rows, computed in float64."""
        cosine = float(self.rows[query].astype(np.float64) @ self.rows[place].astype(np.float64))
        return min(1.0, cosine) if cosine < 1 - 1e-6 else 1.0


def star_groups(
    comparison: PairComparison,
    order: IntArray,
    threshold: float,
    workers: int | None = None,
    always_lead: Collection[int] = (),
    title: str = "Comparing images",
) -> list[Match]:
    """Group similar pictures. Return a match for each picture that joins a group.

    The pictures are visited in the given order. A picture joins the group of a leader if the two are similar enough. If
    there is no such leader, the picture becomes the leader of a new group. Each member is compared with its leader
    directly, so a chain of small differences cannot join very different pictures.

    In general, no two leaders are similar. There are two exceptions. Pictures in `always_lead` always become leaders.
    If a picture has more than `MOST_CANDIDATES` candidates, a similar leader may be missed, and a warning is issued.

    Parameters
    ----------
    comparison
        How to compare two pictures.
    order
        Numbers of the pictures, in the order in which they are grouped.
    threshold
        The similarity from which a picture joins a leader.
    workers
        Number of threads. By default, one per core, but at most 16.
    always_lead
        Numbers of pictures that always become leaders.
    title
        Title of the progress bar.
    """
    order = order[comparison.comparable[order]]
    leaders = np.empty(len(order), np.int64)
    count = 0
    matches: list[Match] = []
    cut = 0
    with _threads(workers) as pool, progress(title, len(order), "images") as advance:
        for start in range(0, len(order), _QUERIES):
            block = order[start : start + _QUERIES]
            likely = _search_all(comparison, block, leaders[:count], pool)
            confirmed = _confirm_all(comparison, block, likely, threshold, pool)
            new: list[int] = []
            for query, match, candidates, near in zip(
                block.tolist(), confirmed, likely, comparison.search(block, block, pool), strict=True
            ):
                nearby = near.among(new)
                if match is None:
                    match = _confirm(comparison, query, nearby, threshold)
                cut += match is None and (candidates.cut or nearby.cut)
                if match is None or query in always_lead:
                    new.append(query)
                else:
                    matches.append(match)
                advance()
            leaders[count : count + len(new)] = new
            count += len(new)
    _warn_of_cut(cut)
    return matches


def nearest_matches(
    comparison: PairComparison,
    queries: IntArray,
    against: IntArray,
    threshold: float,
    workers: int | None = None,
    title: str = "Comparing images",
) -> list[Match]:
    """Match each query with the most similar picture in `against`, if its similarity reaches the threshold."""
    queries, against = queries[comparison.comparable[queries]], against[comparison.comparable[against]]
    matches: list[Match] = []
    cut = 0
    with _threads(workers) as pool, progress(title, len(queries), "images") as advance:
        for start in range(0, len(queries), _QUERIES):
            block = queries[start : start + _QUERIES]
            likely = _search_all(comparison, block, against, pool)
            for match, candidates in zip(_confirm_all(comparison, block, likely, threshold, pool), likely, strict=True):
                if match is not None:
                    matches.append(match)
                cut += match is None and candidates.cut
            advance(len(block))
    _warn_of_cut(cut)
    return matches


def _warn_of_cut(images: int) -> None:
    """Warn that near-duplicates of some images may be missing, because not all candidates were compared exactly."""
    if images:
        warnings.warn(
            f"{images:,} {'images look' if images > 1 else 'image looks'} roughly like more than {MOST_CANDIDATES} "
            f"others, and only the {MOST_CANDIDATES} most similar ones were compared exactly. A few near-duplicates "
            "may be missing, and another seed or other file names may find them.",
            DetreduceWarning,
            stacklevel=3,
        )


@contextmanager
def _threads(workers: int | None) -> Iterator[Executor]:
    """Start threads that compare pictures. Inside this block, OpenCV and BLAS do not start threads of their own."""
    count = workers or available_cores()
    with decoding_threads(count, "detreduce-compare") as pool, one_blas_thread():
        yield pool


def _search_all(comparison: PairComparison, queries: IntArray, against: IntArray, pool: Executor) -> list[Candidates]:
    """Return the candidates in `against`, which may be empty, for each query."""
    nothing = Candidates(np.empty(0, np.int64), np.empty(0, np.int64))
    return comparison.search(queries, against, pool) if len(against) else [nothing] * len(queries)


def _confirm_all(
    comparison: PairComparison, queries: IntArray, likely: list[Candidates], threshold: float, pool: Executor
) -> Iterator[Match | None]:
    """Yield the best match among the candidates for each query, or None. The pool computes the matches."""
    return pool.map(
        lambda query, candidates: _confirm(comparison, query, candidates, threshold), queries.tolist(), likely
    )


def _confirm(comparison: PairComparison, query: int, likely: Candidates, threshold: float) -> Match | None:
    """Return the best match for a query, or None.

    The candidates are compared in batches, starting with the most probable ones. The search stops after the first batch
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


def _find_hits(
    queries: Floats, rows: Floats, against: IntArray, least: float, pool: Executor, screen: Screen | None = None
) -> Hits:
    """Find all pairs of a query and a picture in `against` whose dot product is at least `least`.

    Return three arrays with one entry for each pair: the index of the query, the number of the picture, and the dot
    product. `screen` tells which pictures can have such a dot product. The others are skipped.
    """
    passed: list[float] = []

    def block(start: int) -> Hits:
        """Return the pairs for one block of pictures."""
        columns = against[start : start + _COLUMNS]
        # a screen that lets most pictures pass takes more time than it saves
        if screen is not None and len(columns) == _COLUMNS and sum(passed[:4]) <= 2.0:
            likely = screen(columns)
            passed.append(float(likely.mean()))
            if not likely.any():
                return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
            # BLAS rounds the product with a single column in another way, so use at least two
            likely[int(likely.argmin())] |= likely.sum() == 1
            columns = columns[likely]
        products = queries @ rows[columns].T
        hits = np.flatnonzero(products >= least)
        return hits // len(columns), columns[hits % len(columns)], products.ravel()[hits]

    numbers, places, values = zip(*pool.map(block, range(0, len(against), _COLUMNS)), strict=True)
    return np.concatenate(numbers), np.concatenate(places), np.concatenate(values)


def _group_by_query(hits: Hits, count: int, orientation_of: IntArray) -> list[Candidates]:
    """Return the candidates for each of the `count` queries, sorted from largest to smallest dot product.

    `hits` is a result of `_find_hits`. Its queries were all queries in the first orientation of `orientation_of`,
    followed by the same queries in the second orientation, and so on.
    """
    numbers, places, values = hits
    query, orientation = numbers % count, orientation_of[numbers // count]
    order = np.lexsort((places, -values, query))
    ends = np.searchsorted(query[order], np.arange(1, count))
    return [Candidates(places[part], orientation[part]) for part in np.split(order, ends)]
