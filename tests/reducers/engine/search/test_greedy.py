from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detreduce.reducers.engine.pool import Pool
from detreduce.reducers.engine.search.greedy import GreedyTask, LazyGains, lazy_greedy, rounded


def task(n: int, count: int, priority: list[int] | None = None) -> GreedyTask:
    pool = Pool(np.empty((n, 0)), np.arange(n), 0, 0, count, np.empty(0, np.int64), 0)
    return replace(GreedyTask.of(pool, lambda _: None), priority=np.array(priority or range(n)))


class Cover:
    """The number of elements that sets cover; the task counts its calls of gain."""

    def __init__(self, sets: list[set[int]]) -> None:
        self.sets, self.covered, self.taken = sets, set[int](), 0

    def gain(self, row: int) -> float:
        self.taken += 1
        return float(len(self.sets[row] - self.covered))

    def choose(self, row: int) -> None:
        self.covered |= self.sets[row]


def test_maximum_coverage_by_hand() -> None:
    cover = Cover([{1, 2, 3}, {3, 4}, {1, 2}, {5}])
    bounds = np.array([3.0, 2.0, 2.0, 1.0])
    gains = LazyGains(bounds, cover.gain, cover.choose)
    order, found = lazy_greedy(gains, task(4, 4, [0, 2, 3, 1]))
    # after the first, sets 1 and 3 add 1 each: 3 has priority; set 2 adds nothing
    assert order.tolist() == [0, 3, 1, 2] and found.tolist() == [3, 1, 1, 0]


def test_gains_are_taken_only_where_they_could_win() -> None:
    cover = Cover([{row} | {100 + row + i for i in range(row % 7)} for row in range(50)])
    gains = LazyGains(np.array([1.0 + row % 7 for row in range(50)]), cover.gain, cover.choose)
    lazy_greedy(gains, task(50, 1))
    assert cover.taken < 10


def test_rounding_decides_nothing() -> None:
    assert rounded(0.1 + 0.2) == rounded(0.3) and rounded(1e-13) == 0.0
    assert rounded(1.0 + 1e-9) > rounded(1.0)
    assert rounded(3.7e12) == pytest.approx(3.7e12, rel=1e-9)
