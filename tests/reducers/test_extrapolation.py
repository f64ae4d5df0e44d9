from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsRegressor

from detreduce.errors import InputError
from detreduce.reducers import extrapolation, make_reducer
from detreduce.reducers.extrapolation import extrapolate

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
        monkeypatch.setattr(extrapolation, "BLOCK_ENTRIES", 300)
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
            ([1.0, float("inf"), NAN], "row 1 is infinite"),
            ([1.0, 2.0], "one row for each of the 3"),
            (["a", 1, 2], "not a table of numbers"),
        ],
    )
    def test_refusals(self, scores: Any, says: str) -> None:
        with pytest.raises(InputError, match=says):
            extrapolate(scores, np.eye(3))


def sample(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 4)) + 3 * np.eye(4)[y], y


class TestReducer:
    def test_known_scores_stay_and_others_follow_their_neighbours(self) -> None:
        X = np.array([[0.0], [1.0], [5.0], [6.0]])
        reducer = make_reducer("extrapolate", keep=2, scores=[1.0, NAN, 9.0, NAN], neighbours=1).fit(X)
        assert reducer.scores_.tolist() == [1.0, 1.0, 9.0, 9.0]
        assert sorted(reducer.selected_idx_) == [2, 3]
        assert reducer.known_.tolist() == [True, False, True, False]

    def test_neighbours_are_of_the_category_where_it_has_any(self) -> None:
        X = np.array([[0.0], [1.0], [2.0], [3.0], [2.9]])
        scores = [1.0, NAN, 5.0, NAN, NAN]
        reducer = make_reducer("extrapolate", keep=1, scores=scores, neighbours=1).fit(X, list("aabbc"))
        assert reducer.scores_.tolist() == [1.0, 1.0, 5.0, 5.0, 5.0]

    def test_the_method_is_run_on_a_share_and_its_scores_are_its_own(self) -> None:
        X, y = sample()
        reducer = make_reducer("extrapolate", scorer="nrmd", share=0.25, keep=20, random_state=4).fit(X, y)
        assert reducer.known_.sum() == 30
        assert np.bincount(y[reducer.known_]).tolist() == [10, 10, 10]
        rows = np.flatnonzero(reducer.known_)
        alone = make_reducer("nrmd", keep=1.0, random_state=4).fit(X[rows], y[rows])
        np.testing.assert_allclose(reducer.scores_[rows], alone.scores_, rtol=1e-9)
        other = make_reducer("extrapolate", scorer="nrmd", share=30, keep=20, random_state=5).fit(X, y)
        assert other.known_.sum() == 30 and (other.known_ != reducer.known_).any()

    def test_on_all_images_it_is_the_method(self) -> None:
        X, y = sample()
        whole = make_reducer("extrapolate", scorer="nrmd", share=1.0, keep=30).fit(X, y)
        np.testing.assert_array_equal(whole.selected_idx_, make_reducer("nrmd", keep=30).fit(X, y).selected_idx_)

    def test_infinite_scores_become_extremes(self) -> None:
        X, y = sample()
        X[0] = 1e3
        reducer = make_reducer("extrapolate", scorer="phl", share=1.0, keep=5, parameters={"radius": 2.0}).fit(X, y)
        assert np.isfinite(reducer.scores_).all()
        assert reducer.scores_[0] == reducer.scores_[y == y[0]].min()

    @pytest.mark.parametrize(
        ("bad", "says"),
        [
            ({"neighbours": 0}, "neighbours"),
            ({"neighbours": True}, "neighbours"),
            ({"share": 1.5}, "share: keep=1.5"),
            ({"share": 500}, "share: keep=500"),
            ({"scorer": "mms"}, "'mms' does not score every image"),
            ({"scorer": "vps"}, "'vps' does not score every image"),
            ({"scorer": "fez"}, "Did you mean 'fes'"),
            ({"scorer": "extrapolate"}, "name another"),
            ({"parameters": {"epoch": 3}}, "no parameter 'epoch'"),
            ({"parameters": {"keep": 3}}, "'keep' is extrapolate's own"),
            ({"scores": [1.0, NAN]}, "one row for each of the 120"),
            ({"scores": np.ones((120, 2))}, "one an image"),
        ],
    )
    def test_refusals(self, bad: dict[str, Any], says: str) -> None:
        X, y = sample()
        with pytest.raises(InputError, match=says):
            make_reducer("extrapolate", **bad).fit(X, y)
