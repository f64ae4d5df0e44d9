"""The image that is farthest from all kept ones of its category, found without a look at every pair."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from detreduce.reducers.engine.pool import FloatArray, IntArray
from detreduce.representativeness.chunks import each_chunk
from detreduce.representativeness.likely import SEARCHED, KeptRows
from detreduce.representativeness.screening import VALUES

ROWS = 512
PEAK = 8
"""Rows that look farthest are settled first: most others are then known to be nearer than they are."""
FEW = 256
"""So many rows are settled without a further look for likely neighbours."""


@dataclass
class Gaps:
    """The rows left out of one category, the kept ones, and for each the kept rows that are likely near.

    Distances are in the units of `Screen.exact`.

    Attributes
    ----------
    kept
        The kept rows.
    left
        Rows of X that were left out.
    near
        (len(left), g) places in `kept`, the likely nearest first.
    """

    kept: KeptRows
    left: IntArray
    near: npt.NDArray[np.int32]

    @classmethod
    def of(cls, kept: KeptRows, left: IntArray, advance: Callable[[int], object] = lambda _: None) -> Gaps:
        """Look for likely neighbours; `advance` is called with the rows done."""
        return cls(kept, left, kept.likely(left, advance=advance))

    def largest(self, metric: Metric, floor: float = 0.0) -> float:
        """Return max(floor, the largest distance of a row left out to its nearest kept row); exact.

        A row is out of the question once any kept row is nearer to it than the largest distance found so far.
        """
        if not len(self.left):
            return floor
        upper = self._bounds(metric, np.arange(len(self.left)), self.near[:, :1])
        peak = _largest(upper, 32 * PEAK)
        upper[peak] = self._bounds(metric, peak, self.near[peak])
        floor = self._settle(metric, peak[_largest(upper[peak], PEAK)], floor)
        for some in (slice(1, 8), slice(8, None)):
            open_ = np.flatnonzero(upper > floor)
            upper[open_] = np.minimum(upper[open_], self._bounds(metric, open_, self.near[open_, some]))
        open_ = np.flatnonzero(upper > floor)
        for begin in range(SEARCHED, len(self.kept), SEARCHED):
            if len(open_) <= FEW:
                break
            near = self.kept.likely(self.left[open_], begin)
            upper[open_] = np.minimum(upper[open_], self._bounds(metric, open_, near))
            open_ = open_[upper[open_] > floor]
        return self._settle(metric, open_[np.argsort(-upper[open_])], floor)

    def _bounds(self, metric: Metric, places: IntArray, near: npt.NDArray[np.int32]) -> FloatArray:
        """Return values at or above the distance of each row at `places` to the nearest of the kept ones beside it."""
        screen = self.kept.screen
        nearest = np.full(len(places), np.inf)
        if not near.shape[1]:
            return nearest

        def look(part: slice) -> None:
            others = screen.scaled(self.kept.rows[near[part]])
            others -= screen.scaled(self.left[places[part]])[:, None]
            nearest[part] = metric.upper(others).min(axis=1)

        each_chunk(look, len(places), max(1, VALUES // (near.shape[1] * screen.X.shape[1])))
        return nearest

    def _settle(self, metric: Metric, places: IntArray, floor: float) -> float:
        """Return max(floor, the largest distance of the rows at `places` to their nearest kept row)."""
        largest = floor
        lock = threading.Lock()

        def look(part: slice) -> None:
            nonlocal largest
            rows = metric.rows(self.kept, self.left[places[part]])
            for begin, end in _growing(metric.first, metric.last, len(self.kept)):
                rows.look_at(begin, end)
                rows.drop(largest)
                if not len(rows.open):
                    return
            found = rows.finish(largest)
            with lock:
                largest = max(largest, found)

        each_chunk(look, len(places), ROWS)
        return largest


class Metric(ABC):
    """A distance: its length function, and how many rows are held against how many kept ones at a time."""

    first: int
    last: int

    @abstractmethod
    def upper(self, difference: npt.NDArray[np.floating]) -> FloatArray:
        """Return values at or above the lengths of rounded differences along the last axis, which are used up."""

    @abstractmethod
    def rows(self, kept: KeptRows, rows: IntArray) -> _Rows:
        """Return what holds `rows` of X against stretches of the kept ones."""


class Chebyshev(Metric):
    """The largest difference in any feature."""

    first, last = 16, 256

    def upper(self, difference: npt.NDArray[np.floating]) -> FloatArray:
        """Return the largest absolute values, a rounding up."""
        largest = np.abs(difference, out=difference).max(axis=-1).astype(np.float64)
        return largest * (1.0 + 2.0 * float(np.finfo(difference.dtype).eps))

    def rows(self, kept: KeptRows, rows: IntArray) -> _Rows:
        """Return rows that are compared exactly."""
        return _ChebyshevRows(kept, rows)


class Euclidean(Metric):
    """The root of the sum of squares."""

    first, last = 256, 4096

    def upper(self, difference: npt.NDArray[np.floating]) -> FloatArray:
        """Return the Euclidean norms, a rounding of each term up."""
        d, limits = difference.shape[-1], np.finfo(difference.dtype)
        squares = np.einsum("...i,...i->...", difference, difference).astype(np.float64)
        return np.sqrt(squares * (1.0 + (d + 8) * float(limits.eps)) + d * float(limits.tiny))

    def rows(self, kept: KeptRows, rows: IntArray) -> _Rows:
        """Return rows that are compared in float32 first."""
        return _EuclideanRows(kept, rows)


class _Rows(ABC):
    """Rows whose distance to the nearest kept row is sought, as far as it is larger than all found before.

    `nearest` (m,) is at or above that distance, `open` says which rows may still have the largest.
    """

    def __init__(self, kept: KeptRows, rows: IntArray) -> None:
        self.kept = kept
        self.open = np.arange(len(rows))
        self.nearest = np.full(len(rows), np.inf)

    @abstractmethod
    def look_at(self, begin: int, end: int) -> None:
        """Hold the open rows against kept rows `begin` to `end`."""

    def drop(self, floor: float) -> None:
        """Close the rows that are known to be no farther than `floor`."""
        self.open = self.open[self.nearest[self.open] > floor]

    @abstractmethod
    def finish(self, floor: float) -> float:
        """Return max(floor, the largest exact distance of the open rows), which have seen all kept ones."""


class _ChebyshevRows(_Rows):
    def __init__(self, kept: KeptRows, rows: IntArray) -> None:
        super().__init__(kept, rows)
        self.exact = kept.screen.exact(rows)

    def look_at(self, begin: int, end: int) -> None:
        others = self.kept.screen.exact(self.kept.rows[begin:end])
        found = cdist(self.exact[self.open], others, "chebyshev").min(axis=1)
        self.nearest[self.open] = np.minimum(self.nearest[self.open], found)

    def finish(self, floor: float) -> float:
        return max(floor, float(self.nearest[self.open].max(initial=0.0)))


class _EuclideanRows(_Rows):
    def __init__(self, kept: KeptRows, rows: IntArray) -> None:
        super().__init__(kept, rows)
        self.rows = rows
        self.block = kept.screen.block(rows)
        self.place = np.zeros(len(rows), np.int64)

    def look_at(self, begin: int, end: int) -> None:
        squared = self.block[self.open].upper(self.kept.block[begin:end])
        place = squared.argmin(axis=1)
        found = np.sqrt(squared[np.arange(len(place)), place].astype(np.float64).clip(0.0))
        better = found < self.nearest[self.open]
        self.nearest[self.open[better]] = found[better]
        self.place[self.open[better]] = begin + place[better]

    def finish(self, floor: float) -> float:
        screen, kept = self.kept.screen, self.kept.rows
        upper = screen.distances(self.rows[self.open], kept[self.place[self.open]])
        for position in np.argsort(-upper):
            if upper[position] <= floor:
                break
            row = self.open[[position]]
            mine = self.block[row]
            lower = mine.lower(self.kept.block, mine.upper(self.kept.block))[0].astype(np.float64)
            doubtful = kept[lower <= upper[position] ** 2]
            exact = screen.distances(np.repeat(self.rows[row], len(doubtful)), doubtful)
            floor = max(floor, float(exact.min(initial=upper[position])))
        return floor


def _largest(values: FloatArray, count: int) -> IntArray:
    if count >= len(values):
        return np.argsort(-values)
    return np.argpartition(values, len(values) - count)[len(values) - count :]


def _growing(first: int, last: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield stretches of 0..stop, the first of `first`, each four times as long, at most `last`."""
    begin, width = 0, first
    while begin < stop:
        yield begin, min(begin + width, stop)
        begin, width = begin + width, min(4 * width, last)
