"""The columns of classes: each class its own column, or a projection that keeps distances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.random_projection import SparseRandomProjection

from detreduce.arrays.class_counts import as_sparse, count_boxes
from detreduce.features import class_columns as module
from detreduce.features.class_columns import class_column_names, class_columns
from detreduce.features.table import scale_block


def random_counts(n: int, classes: int, occurring: int):
    rng = np.random.default_rng(0)
    kinds = rng.choice(classes, occurring, replace=False)[rng.integers(occurring, size=3 * n)]
    return count_boxes(rng.integers(n, size=3 * n), kinds, (n, classes))


def test_few_classes_have_a_column_each() -> None:
    counts = random_counts(40, 7, 5)
    np.testing.assert_array_equal(class_columns(counts), np.log1p(counts.toarray().astype(np.int64)))
    assert class_column_names(list("abcdefg"), counts) == [f"log1p_count[{name}]" for name in "abcdefg"]


def test_of_many_classes_those_that_occur_have_a_column() -> None:
    counts = random_counts(40, 50_000, 5)
    occurring = np.flatnonzero(counts.sum(axis=0))
    columns = class_columns(counts)
    np.testing.assert_array_equal(columns, np.log1p(counts[:, occurring].toarray().astype(np.int64)))
    names = [str(number) for number in range(50_000)]
    assert class_column_names(names, counts) == [f"log1p_count[{number}]" for number in occurring]
    # columns of 0 add nothing to a distance
    kept, every = (scale_block(part, standardise=True) for part in (columns, np.log1p(counts[:, :].toarray())))
    np.testing.assert_allclose(pdist(kept.astype(float)), pdist(every.astype(float)), rtol=1e-5)


def test_many_classes_that_occur_are_projected_and_distances_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = random_counts(300, 1000, 1000)
    exact = scale_block(class_columns(counts), standardise=True)
    monkeypatch.setattr(module, "MOST_CLASSES", 100)
    columns = class_columns(counts)
    assert columns.shape == (300, module.PROJECTED)
    assert len(class_column_names(["x"] * 1000, counts)) == module.PROJECTED
    near, true = pdist(scale_block(columns, standardise=False)), pdist(exact)
    assert not near[true == 0].any()
    ratio = near[true > 0] / true[true > 0]
    assert abs(np.median(ratio) - 1) < 0.05 and ratio.std() < 0.06
    np.testing.assert_array_equal(class_columns(counts), columns)


def test_the_projection_is_the_one_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = random_counts(50, 300, 300)
    monkeypatch.setattr(module, "MOST_CLASSES", 100)
    monkeypatch.setattr(module, "PROJECTED", 70)
    logs = counts[:, np.flatnonzero(counts.sum(axis=0))].astype(np.float64)
    logs.data = np.log1p(logs.data)
    dense = logs.toarray()
    spread = dense.std(axis=0)
    random = SparseRandomProjection(70, density=1.0, random_state=0)
    expected = random.fit_transform(dense / spread)
    np.testing.assert_allclose(class_columns(counts), expected, rtol=1e-9, atol=1e-12)


def test_images_with_the_same_classes_are_projected_to_the_same_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLASSES", 2)
    monkeypatch.setattr(module, "PROJECTED", 3)
    columns = class_columns(as_sparse([[1, 0, 2, 1], [1, 0, 2, 1], [0, 0, 0, 1], [0, 3, 0, 1]]))
    np.testing.assert_array_equal(columns[0], columns[1])
    # a class with the same number of boxes in every image has no information
    assert not columns[2].any() and columns[3].any()
