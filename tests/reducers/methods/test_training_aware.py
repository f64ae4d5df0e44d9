from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS
from detreduce.errors import InputError, RandomDrawWarning
from detreduce.reducers import make_reducer

METHODS = ("vps", "forgetting", "el2n", "aum")


def block(**columns: list[float]) -> np.ndarray:
    """Return a block of `dynamics` that is 0 except in the named columns; one box an image by default."""
    n = len(next(iter(columns.values())))
    X = np.zeros((n, len(DYNAMICS_COLUMNS)), np.float32)
    for name, values in {"boxes": [1.0] * n, **columns}.items():
        X[:, DYNAMICS_COLUMNS.index(name)] = values
    return X


@pytest.mark.filterwarnings("ignore::detreduce.errors.RandomDrawWarning")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("over", ["sum", "mean", "max"])
def test_each_reads_its_own_column_highest_first(method: str, over: str) -> None:
    X = block(**{f"{method}_{over}": [0.5, 2.0, 1.0, 0.0]})
    hard = make_reducer(method, keep=1.0, over=over).fit(X)
    assert hard.ranking_.tolist() == [1, 2, 0, 3]
    assert hard.scores_.tolist() == [0.5, 2.0, 1.0, 0.0]
    easy = make_reducer(method, keep=1.0, over=over, easy_first=True).fit(X)
    assert easy.ranking_.tolist() == [3, 0, 2, 1]
    for other in METHODS:
        scores = make_reducer(other, over=over).fit(X).scores_
        assert (scores != 0).any() == (other == method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("over", ["sum", "mean", "max"])
def test_images_without_boxes_come_last_both_ways(method: str, over: str) -> None:
    X = block(**{f"{method}_{over}": [0.0, 2.0, 0.0, 1.0, 0.0], "boxes": [0, 1, 3, 1, 0]})
    orders = set()
    for seed in range(8):
        hard = make_reducer(method, keep=1.0, over=over, random_state=seed).fit(X)
        easy = make_reducer(method, keep=1.0, over=over, easy_first=True, random_state=seed).fit(X)
        assert hard.ranking_[:3].tolist() == [1, 3, 2] and easy.ranking_[:3].tolist() == [2, 3, 1]
        assert hard.scores_[[0, 4]].tolist() == easy.scores_[[0, 4]].tolist() == [-np.inf, -np.inf]
        orders.add(tuple(easy.ranking_[3:]))
    assert orders == {(0, 4), (4, 0)}


def test_seats_are_the_categories() -> None:
    X = block(vps_sum=[5, 4, 3, 2, 1, 0])
    reducer = make_reducer("vps", keep=3).fit(X, ["b", "b", "b", "a", "a", "a"])
    assert sorted(reducer.selected_idx_.tolist()) == [0, 1, 3] or sorted(reducer.selected_idx_.tolist()) == [0, 3, 4]
    assert reducer.seats_.sum() == 3 and reducer.seats_.min() == 1


def test_equal_scores_are_drawn_by_the_seed() -> None:
    X = block(forgetting_sum=[2.0] * 20)
    with pytest.warns(RandomDrawWarning, match="forgetting"):
        fits = [make_reducer("forgetting", keep=5, random_state=seed).fit(X) for seed in range(4)]
    assert len({tuple(fit.selected_idx_) for fit in fits}) == 4


def test_only_scores_that_all_tie_are_called_a_draw() -> None:
    boxes = [1, 1, 0]
    with pytest.warns(RandomDrawWarning, match="vps"):
        make_reducer("vps").fit(block(vps_sum=[0.0, 0, 0], boxes=boxes))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_reducer("vps").fit(block(vps_sum=[0.0, 1, 0], boxes=boxes))
        make_reducer("vps").fit(block(vps_sum=[0.0, 0, 0], boxes=[1, 0, 0]))


@pytest.mark.parametrize(
    ("bad", "says"),
    [({"over": "men"}, "Did you mean 'mean'"), ({"easy_first": 1}, "easy_first"), ({"hard": True}, "no parameter")],
)
def test_refusals(bad: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_reducer("vps", **bad).fit(block(vps_sum=[1.0, 2.0]))


def test_features_are_no_dynamics() -> None:
    with pytest.raises(InputError, match=r"X has 6 columns, .* 'aum' .* 13 "):
        make_reducer("aum").fit(np.ones((4, 6)))
