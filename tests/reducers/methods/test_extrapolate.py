from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detreduce import extract_features, select
from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.selection.estimates import estimates_in_words
from detreduce.selection.record import Selection

NAN = float("nan")


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
            ({"scorer": "mms"}, "scorer='mms'"),
            ({"scorer": "gradmatch"}, "scorer='gradmatch'"),
            ({"scorer": "vps"}, "scorer='vps'.*detreduce proxy"),
            ({"scorer": "fez"}, "Did you mean 'fes'"),
            ({"scorer": "extrapolate"}, "scorer='extrapolate'"),
            ({"parameters": {"epoch": 3}}, "no parameter 'epoch'"),
            ({"parameters": {"keep": 3}}, "parameters: 'keep'"),
            ({"scores": [1.0, NAN]}, " 120 "),
            ({"scores": np.ones((120, 2))}, r"\(120, 2\)"),
        ],
    )
    def test_refusals(self, bad: dict[str, Any], says: str) -> None:
        X, y = sample()
        with pytest.raises(InputError, match=says):
            make_reducer("extrapolate", **bad).fit(X, y)

    def test_the_method_can_be_named_wherever_methods_are_chosen_from(self, tmp_path: Path) -> None:
        for row in range(12):
            (tmp_path / f"{row}.png").touch()
        np.save(tmp_path / "v.npy", sample(12)[0])
        table = extract_features(load_dataset(tmp_path), f"file:{tmp_path / 'v.npy'}")
        selection = select(table, "extrapolate", keep=4, scorer="nrmd", share=6)
        assert selection.parameters["scorer"] == "nrmd" and len(selection) == 4


class TestHeldBackScores:
    """A few known scores are estimated as if they were unknown."""

    def fitted(self, scores: np.ndarray, X: np.ndarray, **more: Any) -> Any:
        return make_reducer("extrapolate", keep=5, scores=scores, **more).fit(X)

    def test_scores_that_follow_the_features_are_found_and_noise_is_not(self) -> None:
        X = np.random.default_rng(0).normal(size=(800, 2))
        smooth, noise = X[:, 0].copy(), np.random.default_rng(1).normal(size=800)
        for scores in (smooth, noise):
            scores[400:] = NAN
        found, chance = self.fitted(smooth, X).facts_, self.fitted(noise, X).facts_
        assert (found["scored"], found["held_back"]) == (400, 40)
        assert found["rank_correlation"] > 0.9 and abs(chance["rank_correlation"]) < 0.5

    def test_it_does_not_change_the_choice(self) -> None:
        X, _ = sample()
        scores = np.where(np.arange(120) % 2, X[:, 0], NAN)
        reducer = self.fitted(scores, X, neighbours=3)
        known = np.flatnonzero(~np.isnan(scores))
        np.testing.assert_array_equal(reducer.scores_[known], scores[known])
        assert reducer.facts_["held_back"] == 20 and reducer.facts_ == self.fitted(scores, X, neighbours=3).facts_

    @pytest.mark.parametrize(
        ("scores", "facts"),
        [
            (np.arange(40.0), {}),
            (np.where(np.arange(40) < 5, 1.0, NAN), {}),
            (np.where(np.arange(40) < 6, 1.0, NAN), {"held_back": 3, "scored": 6, "rank_correlation": None}),
        ],
        ids=["all known", "too few", "all equal"],
    )
    def test_where_there_is_nothing_to_say(self, scores: np.ndarray, facts: dict[str, Any]) -> None:
        assert self.fitted(scores, np.arange(40.0)[:, None]).facts_ == facts

    def test_the_selection_and_its_words_have_it(self, tmp_path: Path) -> None:
        for row in range(60):
            (tmp_path / f"{row}.png").touch()
        np.save(tmp_path / "v.npy", sample(60)[0])
        table = extract_features(load_dataset(tmp_path), f"file:{tmp_path / 'v.npy'}")
        scores = np.where(np.arange(60) < 40, np.arange(60.0), NAN)
        selection = select(table, "extrapolate", keep=4, scores=scores)
        facts = Selection.load(selection.save(tmp_path / "s.json")).provenance["method_facts"]
        assert facts["held_back"] == 20 and facts == selection.provenance["method_facts"]
        assert f"{facts['rank_correlation']:.2f}" in estimates_in_words(selection.provenance)
        assert "20 of 40 scored images" in estimates_in_words(selection.provenance)
        facts = facts | {"rank_correlation": None}
        assert "rank correlation" not in estimates_in_words({"method_facts": facts})
        assert estimates_in_words(select(table, "srs", keep=4).provenance) == ""
