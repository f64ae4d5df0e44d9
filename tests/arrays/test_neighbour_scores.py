from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsRegressor

from detreduce.arrays import neighbour_scores
from detreduce.arrays.neighbour_scores import extrapolate
from detreduce.errors import InputError

NAN = float("nan")


class TestFunction:
    def test_by_hand(self) -> None:
        X = np.array([[0.0], [1.0], [2.0], [10.0], [3.0], [6.0]])
        scores = np.array([1.0, 3.0, NAN, 7.0, NAN, NAN])
        assert extrapolate(scores, X, 1).tolist() == [1, 3, 3, 7, 3, 7]
        assert extrapolate(scores, X, 2).tolist() == [1, 3, 2, 7, 2, 5]
        assert extrapolate(scores, X, 99).tolist() == [1, 3, 11 / 3, 7, 11 / 3, 11 / 3]

    def test_rows_equally_near_count_together(self) -> None:
        X = np.array([[0.0], [1.0], [-1.0], [5.0]])
        assert extrapolate([NAN, 2.0, 4.0, 100.0], X, 1)[0] == 3.0

    def test_several_columns_are_filled_at_once(self) -> None:
        X = np.array([[0.0], [1.0], [9.0]])
        table = np.array([[1.0, 10.0], [NAN, NAN], [5.0, 50.0]])
        assert extrapolate(table, X, 1).tolist() == [[1, 10], [1, 10], [5, 50]]
        assert np.isnan(table[1]).all(), "what was given stays as it was"

    @pytest.mark.parametrize("neighbours", [1, 4, 10])
    def test_as_scikit_learn_has_it(self, neighbours: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(neighbour_scores, "BLOCK_ENTRIES", 300)
        rng = np.random.default_rng(0)
        X, scores = rng.normal(size=(200, 5)) * [1, 1, 1, 1, 1e3], rng.normal(size=200)
        scores[rng.permutation(200)[:150]] = NAN
        known = ~np.isnan(scores)
        oracle = KNeighborsRegressor(neighbours).fit(X[known], scores[known]).predict(X[~known])
        np.testing.assert_allclose(extrapolate(scores, X, neighbours)[~known], oracle, rtol=1e-9)

    @given(st.integers(0, 1000), st.integers(1, 6))
    @settings(max_examples=25, deadline=None)
    def test_order_and_range(self, seed: int, neighbours: int) -> None:
        rng = np.random.default_rng(seed)
        X = rng.integers(0, 4, (30, 2)).astype(float)
        scores = np.where(rng.random(30) < 0.5, rng.normal(size=30), NAN)
        scores[0] = 0.5
        found = extrapolate(scores, X, neighbours)
        order = rng.permutation(30)
        np.testing.assert_allclose(extrapolate(scores[order], X[order], neighbours), found[order], atol=1e-12)
        assert found.min() >= np.nanmin(scores) - 1e-12 and found.max() <= np.nanmax(scores) + 1e-12

    @pytest.mark.parametrize(
        ("scores", "says"),
        [
            ([NAN] * 3, "NaN for every image"),
            ([1.0, float("inf"), NAN], "row 1"),
            ([1.0, 2.0], "one row for each of the 3"),
            (["a", 1, 2], "table of numbers"),
        ],
    )
    def test_refusals(self, scores: Any, says: str) -> None:
        with pytest.raises(InputError, match=says):
            extrapolate(scores, np.eye(3))
