from __future__ import annotations

import numpy as np

from detreduce.reducers import make_reducer


def test_it_takes_the_first_of_each_category() -> None:
    y = np.array([1, 0, 0, 1, 0, 0])
    reducer = make_reducer("first", keep=3).fit(np.empty((6, 0)), y)
    assert reducer.selected_idx_.tolist() == [1, 0, 2]
    assert make_reducer("first", keep=0.5).fit(np.empty((6, 0))).selected_idx_.tolist() == [0, 1, 2]


def test_values_are_not_looked_at() -> None:
    n = 12
    expected = make_reducer("first", keep=5).fit(np.empty((n, 0))).selected_idx_
    for X in (np.full((n, 2), np.nan), np.array([["text"]] * n), np.random.default_rng(0).normal(size=(n, 3))):
        np.testing.assert_array_equal(make_reducer("first", keep=5).fit(X).selected_idx_, expected)
