from __future__ import annotations

import numpy as np
import pytest

from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.base import FitInput, Problem, ScoringReducer
from detreduce.reducers.engine.pool import Pool


class Largest(ScoringReducer):
    """Highest first feature first."""

    name, family, cost, source, summary = "largest", "test", "n", "here", "largest value"
    deterministic = True

    def _score(self, pool: Pool) -> np.ndarray:
        return pool.X[:, 0].astype(float)


def test_a_method_is_one_small_class() -> None:
    X = np.array([[1.0], [5.0], [3.0], [4.0], [2.0], [0.0]])
    y = np.array(["b", "b", "b", "a", "a", "c"])
    reducer = Largest(keep=4).fit(X, y)
    # b has 3 rows, a has 2, c has 1: one each in this order, then b (3/3) against a (2/3)
    assert reducer.selected_idx_.tolist() == [1, 3, 5, 2]
    assert reducer.ranking_.tolist() == [1, 3, 5, 2, 4, 0]
    assert reducer.scores_.tolist() == X[:, 0].tolist()
    assert reducer.categories_ == ["a", "b", "c"] and reducer.seats_.tolist() == [1, 2, 1]
    assert reducer.get_support().tolist() == [False, True, True, True, False, True]


def test_initial_comes_first_and_counts() -> None:
    X = np.array([[1.0], [5.0], [3.0], [4.0], [2.0], [0.0]])
    y = np.array(["b", "b", "b", "a", "a", "c"])
    reducer = Largest(keep=4).fit(X, y, initial=[4, 0])
    # a and b have a seat already; c gets a seat; then b (3/3)
    assert reducer.selected_idx_.tolist() == [4, 0, 5, 1]
    assert reducer.scores_.tolist() == [np.inf, 5, 3, 4, np.inf, 0]


def test_ties_are_drawn_by_seed_and_not_by_row() -> None:
    X = np.zeros((50, 1))
    first = [int(Largest(keep=1, random_state=seed).fit(X).selected_idx_[0]) for seed in range(40)]
    assert len(set(first)) > 15 and max(first) > 30 and min(first) < 20


def test_ties_among_different_rows_ignore_row_order() -> None:
    X = np.column_stack([np.zeros(30), np.arange(30)])
    order = np.random.default_rng(0).permutation(30)
    plain, permuted = Largest(keep=9).fit(X), Largest(keep=9).fit(X[order])
    assert plain.selected_idx_.tolist() == order[permuted.selected_idx_].tolist()
    negative_zero = Largest(keep=9).fit(np.column_stack([np.full(30, -0.0), np.arange(30)]).astype(np.float32))
    assert negative_zero.selected_idx_.tolist() == plain.selected_idx_.tolist()


def test_a_category_does_not_depend_on_the_others() -> None:
    y = np.repeat([0, 1], [30, 12])
    both = make_reducer("srs", keep=1.0).fit(np.empty((42, 0)), y)
    alone = make_reducer("srs", keep=1.0).fit(np.empty((30, 0)), y[:30])
    assert both.ranking_[both.ranking_ < 30].tolist() == alone.ranking_.tolist()


def test_arguments_that_a_method_does_not_use_are_refused() -> None:
    with pytest.raises(InputError, match="groups"):
        Largest().fit(np.ones((3, 1)), groups=[1, 1, 2])
    with pytest.raises(InputError, match="objects"):
        Largest().fit(np.ones((3, 1)), objects=[1])


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("srs", {"keep": 0}, "keep=0"),
        ("srs", {"keep": -3}, "keep=-3"),
        ("srs", {"keep": 1.5}, "0.015 for 1.5 %"),
        ("srs", {"keep": 25.0}, "25 for 25 images"),
        ("srs", {"keep": True}, "not a number"),
        ("mms", {"random_state": -1}, "random_state=-1"),
        ("mms", {"random_state": "0"}, "random_state='0'"),
        ("mms", {"start": "centre"}, "start='centre'"),
        ("mms", {"start": -1}, "start=-1"),
        ("mms", {"start": 0.5}, "start=0.5"),
        ("des", {"base": 2}, "base=2"),
        ("fes", {"epochs": 0}, "epochs=0"),
    ],
)
def test_parameters_are_checked_without_data(method: str, params: dict[str, object], says: str) -> None:
    reducer = make_reducer(method, **params)
    with pytest.raises(InputError, match=says):
        reducer.check_params()
    with pytest.raises(InputError, match=says):
        reducer.fit(np.eye(6), [0, 0, 0, 1, 1, 1])


def test_checking_parameters_draws_nothing() -> None:
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    make_reducer("srs", keep=10_000, random_state=one).check_params()
    assert one.integers(2**40) == other.integers(2**40)


def test_other_packages_may_import_the_first_name_of_the_input() -> None:
    assert Problem is FitInput
