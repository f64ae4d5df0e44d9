from __future__ import annotations

import numpy as np
import pytest

from detreduce.reducers import make_reducer
from detreduce.reducers.methods.moderate import distances_to_median


def test_by_hand() -> None:
    # the median is 2; distances 2, 1, 0, 1, 8 have the median 1
    reducer = make_reducer("moderate", keep=4).fit(np.array([[0.0], [1], [2], [3], [10]]))
    assert set(reducer.selected_idx_[:2]) == {1, 3} and set(reducer.selected_idx_[2:]) == {0, 2}
    assert reducer.scores_.tolist() == [-1, 0, -1, 0, -7]


def test_each_category_has_a_middle_of_its_own() -> None:
    X = np.array([[0.0], [1], [2], [3], [10], [100], [101], [102], [103], [110]])
    reducer = make_reducer("moderate", keep=10).fit(X, np.repeat([0, 1], 5))
    assert reducer.scores_[:5].tolist() == reducer.scores_[5:].tolist() == [-1, 0, -1, 0, -7]


def test_the_middle_is_the_median_of_each_coordinate() -> None:
    # the outlier moves the mean, not the median
    X = np.array([[0.0, 0], [3, 4], [0, 0], [1e6, 0], [0, -1]])
    np.testing.assert_allclose(distances_to_median(X), [0, 5, 0, 1e6, 1])
    wide = np.random.default_rng(0).normal(size=(50, 150)).astype(np.float32)
    expected = np.linalg.norm(wide.astype(float) - np.median(wide.astype(float), axis=0), axis=1)
    np.testing.assert_allclose(distances_to_median(wide), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_bit_depends_on_the_order_of_the_rows(dtype: type) -> None:
    X = np.random.default_rng(0).normal(size=(9001, 7)).astype(dtype)
    order = np.random.default_rng(1).permutation(len(X))
    np.testing.assert_array_equal(distances_to_median(X)[order], distances_to_median(X[order]))


def test_extreme_sizes() -> None:
    with np.errstate(all="raise"):
        for X in (np.array([[3e38], [-3e38], [0]], np.float32), np.array([[1e300], [-1e300], [0.0]])):
            distances = distances_to_median(X)
            np.testing.assert_allclose(distances, np.abs(X[:, 0].astype(float)))
