from __future__ import annotations

import numpy as np
import pytest

from detreduce.reducers import make_reducer


def test_first_takes_the_first_of_each_category() -> None:
    y = np.array([1, 0, 0, 1, 0, 0])
    reducer = make_reducer("first", keep=3).fit(np.empty((6, 0)), y)
    assert reducer.selected_idx_.tolist() == [1, 0, 2]
    assert make_reducer("first", keep=0.5).fit(np.empty((6, 0))).selected_idx_.tolist() == [0, 1, 2]


def test_srs_is_uniform() -> None:
    hits = np.zeros(10)
    for seed in range(2000):
        hits[make_reducer("srs", keep=3, random_state=seed).fit(np.empty((10, 0))).selected_idx_] += 1
    # 600 expected each, standard deviation 20
    assert hits.sum() == 6000 and np.abs(hits - 600).max() < 100


def test_srs_pairs_are_uniform() -> None:
    together = sum(
        {0, 1} <= set(make_reducer("srs", keep=2, random_state=seed).fit(np.empty((4, 0))).selected_idx_)
        for seed in range(1200)
    )
    # one of six pairs
    assert abs(together - 200) < 60


@pytest.mark.parametrize("method", ["srs", "first"])
def test_values_are_not_looked_at(method: str) -> None:
    n = 12
    expected = make_reducer(method, keep=5).fit(np.empty((n, 0))).selected_idx_
    for X in (np.full((n, 2), np.nan), np.array([["text"]] * n), np.random.default_rng(0).normal(size=(n, 3))):
        np.testing.assert_array_equal(make_reducer(method, keep=5).fit(X).selected_idx_, expected)
