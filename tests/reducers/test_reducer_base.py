from __future__ import annotations

import numpy as np
import pytest

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.ordering import best, descending
from detreduce.reducers.engine.pool import Pool
from detreduce.reducers.engine.validation import (
    check_features,
    check_objects,
    check_rows,
    encode_categories,
    resolve_seed,
)


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
    # b has 3, a 2, c 1: one each in that order, then b (3/3) against a (2/3)
    assert reducer.selected_idx_.tolist() == [1, 3, 5, 2]
    assert reducer.ranking_.tolist() == [1, 3, 5, 2, 4, 0]
    assert reducer.scores_.tolist() == X[:, 0].tolist()
    assert reducer.categories_ == ["a", "b", "c"] and reducer.seats_.tolist() == [1, 2, 1]
    assert reducer.get_support().tolist() == [False, True, True, True, False, True]


def test_initial_comes_first_and_counts() -> None:
    X = np.array([[1.0], [5.0], [3.0], [4.0], [2.0], [0.0]])
    y = np.array(["b", "b", "b", "a", "a", "c"])
    reducer = Largest(keep=4).fit(X, y, initial=[4, 0])
    # a and b have a seat; c gets its own; then b (3/3)
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


def test_rounding_decides_no_rank() -> None:
    scores = np.array([1.0, 2.0, 2.0 * (1 + 1e-13), np.inf, -np.inf, 0.0, np.inf])
    order, levelled = descending(scores, np.array([0, 1, 2, 3, 4, 5, 0]).__getitem__)
    assert order.tolist() == [6, 3, 1, 2, 0, 5, 4]
    assert levelled[1] == levelled[2] == scores[2] and levelled[[0, 5]].tolist() == [1.0, 0.0]
    assert best(scores[:3], np.array([0, 2, 1])) == 2 and best(scores[:3], np.array([0, 1, 2])) == 1
    assert best(np.array([-np.inf, -np.inf]), np.array([1, 0])) == 1


def test_features_are_not_copied() -> None:
    for dtype in (np.float32, np.float64):
        X = np.ones((4, 2), dtype)
        checked = check_features(X, needed=True)
        assert checked.dtype == dtype and np.shares_memory(checked, X) and not checked.flags.writeable
        assert X.flags.writeable
    assert check_features(np.ones((4, 2), np.float16), needed=True).dtype == np.float32
    assert check_features(np.ones((4, 2), ">f4"), needed=True).dtype == np.dtype("=f4")
    assert check_features([[1, 2], [3, 4]], needed=True).dtype == np.float64
    assert check_features(np.array([["a"]]), needed=False).shape == (1, 0)


@pytest.mark.parametrize(
    ("X", "says"),
    [
        ([[1.0], [2.0, 3.0]], "length"),
        ([["a"]], "U1"),
        (np.array([[1, "a"]], object), "not numbers"),
        (np.ones((2, 2), complex), "complex"),
        (np.ones(3), "shape"),
    ],
)
def test_refused_features(X: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_features(X, needed=True)


def test_object_vectors_are_one_row_a_pair() -> None:
    pair = np.zeros(1, np.int64)
    table = ObjectTable(1, 1, pair, pair, pair + 1, np.ones(1, np.float32))
    with pytest.raises(InputError, match=r"vectors of shape \(1,\)"):
        check_objects(table, 1, "csod", vectors=True)


def test_sparse_features_are_refused() -> None:
    from scipy.sparse import csr_matrix

    with pytest.raises(InputError, match="sparse"):
        check_features(csr_matrix(np.eye(3)), needed=True)


def test_non_finite_values_are_named_wherever_they_are() -> None:
    X = np.ones((10_000, 2), np.float32)
    X[9_876, 1] = np.inf
    with pytest.raises(InputError, match="row 9876, column 1 is inf"):
        check_features(X, needed=True)


def test_encode_categories() -> None:
    codes, labels = encode_categories(["b", "a", "b"], 3)
    assert codes.tolist() == [1, 0, 1] and labels == ["a", "b"]
    codes, labels = encode_categories(np.array([10, 9, 10], np.uint8), 3)
    assert codes.tolist() == [1, 0, 1] and labels == [9, 10]
    codes, labels = encode_categories(np.array([2, "x", 1], object), 3)
    assert labels == [1, 2, "x"] and codes.tolist() == [1, 2, 0]


def test_check_rows() -> None:
    assert check_rows(None, 3, "initial").dtype == np.int64
    assert check_rows((2, 0), 3, "initial").tolist() == [2, 0]
    with pytest.raises(InputError, match="row 3, but rows go from 0 to 2"):
        check_rows([3], 3, "initial")


def test_resolve_seed() -> None:
    assert resolve_seed(np.int64(3)) == 3
    assert resolve_seed(None) != resolve_seed(None)
    assert resolve_seed(np.random.default_rng(1)) == resolve_seed(np.random.default_rng(1))
    assert resolve_seed(np.random.RandomState(1)) == resolve_seed(np.random.RandomState(1))
    for bad in (-1, 1.5, "0", True):
        with pytest.raises(InputError, match="random_state"):
            resolve_seed(bad)


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("srs", {"keep": 0}, "keep=0"),
        ("srs", {"keep": -3}, "keep=-3"),
        ("srs", {"keep": 1.5}, "not a fraction"),
        ("srs", {"keep": 25.0}, "For a count, write 25"),
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


@pytest.mark.parametrize("missing", [None, float("nan"), np.datetime64("NaT")])
def test_a_missing_label_is_refused_by_row(missing: object) -> None:
    with pytest.raises(InputError, match="row 2"):
        encode_categories(["a", "b", missing, "a"], 4)
