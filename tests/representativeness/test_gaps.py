from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from detreduce.representativeness.gaps import Chebyshev, Euclidean, Gaps, Metric
from detreduce.representativeness.likely import KeptRows, principal_axes
from detreduce.representativeness.screening import Screen


@pytest.mark.parametrize(("metric", "name"), [(Chebyshev(), "chebyshev"), (Euclidean(), "euclidean")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_from_a_floor_just_below_or_above_the_largest(metric: Metric, name: str, dtype: str) -> None:
    X = np.random.default_rng(0).normal(size=(900, 70)).astype(dtype)
    kept, left = np.arange(400), np.arange(400, 900)
    screen = Screen.of(X)
    gaps = Gaps.of(KeptRows.of(screen, kept, principal_axes(screen)), left)
    true = cdist(X[left].astype(float), X[kept].astype(float), name).min(axis=1).max()
    for share in (0.0, 0.9, 0.99, 1 - 1e-9):
        assert gaps.largest(metric, share * true) == pytest.approx(true, rel=1e-12)
    assert gaps.largest(metric, 1.001 * true) == 1.001 * true


def test_likely_neighbours_are_likely() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 100))[rng.integers(30, size=6000)] + 0.1 * rng.normal(size=(6000, 100))
    screen = Screen.of(X)
    rows = KeptRows.of(screen, np.arange(5000), principal_axes(screen))
    queries = np.arange(5000, 5100)
    for begin, end in ((0, 4096), (4096, 5000)):
        near = rows.likely(queries, begin)
        assert near.min() >= begin and near.max() < end
        among = cdist(X[queries], X[rows.rows[begin:end]])
        found = np.linalg.norm(X[queries] - X[rows.rows[near[:, 0]]], axis=1)
        # of the same cluster, far nearer than what is usual
        assert (found < 0.3 * np.median(among, axis=1)).all()
