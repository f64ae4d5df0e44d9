from __future__ import annotations

import numpy as np
import pytest

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.reducers.engine.validation import (
    check_features,
    check_objects,
    check_rows,
    encode_categories,
    resolve_seed,
)


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


@pytest.mark.parametrize("missing", [None, float("nan"), np.datetime64("NaT")])
def test_a_missing_label_is_refused_by_row(missing: object) -> None:
    with pytest.raises(InputError, match="row 2"):
        encode_categories(["a", "b", missing, "a"], 4)


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
