from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.search import windowed_greedy as engine
from detreduce.reducers.engine.search.greedy import GreedyTask, LazyGains, lazy_greedy, rounded
from detreduce.reducers.engine.search.windowed_greedy import ArrayGains, round_gains, windowed_greedy


def task(n: int, count: int, priority: IntArray, most: int | None = None) -> GreedyTask:
    """Return a task. With `most`, rows 0, 1 and 2 are a group, then rows 3, 4 and 5, and so on."""
    pool = Pool(np.empty((n, 0)), np.arange(n), 0, 0, count, np.empty(0, np.int64), 0)
    if most is not None:
        codes = np.arange(n) // 3
        pool = replace(pool, group_codes=codes, group_left=np.full(codes[-1] + 1, most))
    return replace(GreedyTask.of(pool, lambda _: None), priority=priority)


class Roots:
    """Row i adds counts[i]; the value is the sum of the square roots of the columns."""

    def __init__(self, counts: IntArray) -> None:
        self.counts, self.kept = counts, np.zeros(counts.shape[1])

    def gain(self, row: int) -> float:
        return float(self.watch(np.array([row]))()[0])

    def watch(self, rows: IntArray) -> Callable[[], FloatArray]:
        return lambda: (np.sqrt(self.kept + self.counts[rows]) - np.sqrt(self.kept)).sum(axis=1)

    def choose(self, row: int) -> None:
        self.kept += self.counts[row]


def next_identical(counts: IntArray, priority: IntArray) -> IntArray:
    following, last = np.full(len(counts), -1), dict[bytes, int]()
    for row in np.argsort(priority)[::-1].tolist():
        following[row] = last.get(counts[row].tobytes(), -1)
        last[counts[row].tobytes()] = row
    return following


@pytest.mark.parametrize("most", [None, 2])
@pytest.mark.parametrize(("classes", "boxes"), [(3, 1), (4, 2), (12, 4)])
def test_the_choice_is_that_of_lazy_greedy(
    monkeypatch: pytest.MonkeyPatch, classes: int, boxes: int, most: int | None
) -> None:
    monkeypatch.setattr(engine, "SMALLEST", 4)
    generator = np.random.default_rng(classes)
    n, wanted = 90, 40
    counts = generator.multinomial(boxes, np.full(classes, 1 / classes), n) * generator.integers(0, 2, (n, 1))
    priority = generator.permutation(n)
    plain, windowed = Roots(counts), Roots(counts)
    first = LazyGains(plain.watch(np.arange(n))(), plain.gain, plain.choose)
    order, gains = lazy_greedy(first, task(n, wanted, priority, most))
    arrays = ArrayGains(windowed.watch, windowed.choose, next_identical(counts, priority))
    found = windowed_greedy(arrays, task(n, wanted, priority, most))
    assert found[0].tolist() == order.tolist()
    assert found[1] == pytest.approx(gains, rel=1e-9)


def test_few_gains_are_computed() -> None:
    generator = np.random.default_rng(0)
    n = 5000
    counts = np.unique(generator.poisson(generator.gamma(0.5, 4.0, (n, 1)), (n, 12)), axis=0)
    roots = Roots(counts)
    computed = 0

    def watch(rows: IntArray) -> Callable[[], FloatArray]:
        current = roots.watch(rows)

        def counted() -> FloatArray:
            nonlocal computed
            computed += len(rows)
            return current()

        return counted

    alone = np.full(len(counts), -1)
    windowed_greedy(ArrayGains(watch, roots.choose, alone), task(len(counts), 500, np.arange(len(counts))))
    assert computed < 500 * len(counts) / 5


def test_gains_are_rounded_like_single_ones() -> None:
    gains = np.array([0.1 + 0.2, 0.3, 1e-13, 0.0, 1.0, 1.0 + 1e-9, 3.7e12, 2.5e-9])
    assert round_gains(gains).tolist() == [rounded(gain) for gain in gains.tolist()]
