"""Iterative stratification: the properties of every assignment."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from detreduce.splitting.stratify import REST, assign_parts


@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 2**32), st.floats(0, 1))
def test_clusters_stay_together_parts_do_not_overflow_and_fixed_images_stay(
    images: int, classes: int, seed: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    clusters = np.unique(rng.integers(0, max(1, int(images * share)) + 1, images), return_inverse=True)[1]
    present = csr_array((rng.random((images, classes)) < 0.3).astype(np.int64))
    sizes = [int(rng.integers(0, images // 3 + 1)), int(rng.integers(0, images // 3 + 1))]
    fixed = rng.random(images) < 0.1
    drawn = rng.integers(0, 2**63, images).astype(np.uint64)
    parts = assign_parts(clusters, present, sizes, drawn, fixed)
    assert all(len(set(parts[clusters == cluster])) == 1 for cluster in set(clusters.tolist()))
    assert [int((parts == place).sum()) <= size for place, size in enumerate(sizes, 1)] == [True, True]
    assert (parts[fixed] == REST).all()


def test_single_images_fill_the_parts_exactly_with_even_classes() -> None:
    present = csr_array(np.eye(4, dtype=np.int64)[np.arange(100) % 4])
    drawn = np.random.default_rng(0).integers(0, 2**63, 100).astype(np.uint64)
    parts = assign_parts(np.arange(100), present, [20, 8], drawn, np.zeros(100, bool))
    counts = [[int(((parts == part) & (np.arange(100) % 4 == kind)).sum()) for kind in range(4)] for part in range(3)]
    assert counts == [[18] * 4, [5] * 4, [2] * 4]


def test_a_class_with_one_image_stays_in_train() -> None:
    present = csr_array(np.array([[1, 0]] * 9 + [[1, 1]]))
    for seed in range(20):
        drawn = np.random.default_rng(seed).integers(0, 2**63, 10).astype(np.uint64)
        parts = assign_parts(np.arange(10), present, [2], drawn, np.zeros(10, bool))
        assert parts[9] == REST
        assert (parts == 1).sum() == 2
