from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from detreduce.representativeness import coverage, covering_radius, epsilon, nearest, neighbourhoods
from detreduce.representativeness.nearest import CANDIDATES, Metric, largest_gap, near_rows, pair_distances


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_from_a_floor_just_below_or_above_the_largest(
    metric: Metric, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # more kept rows than one search block has
    X = np.random.default_rng(0).normal(size=(1900, 70)).astype(dtype)
    kept, left_out = np.arange(1400), np.arange(1400, 1900)
    assert len(kept) > 2 * CANDIDATES
    true = cdist(X[left_out], X[kept], metric).min(axis=1).max()
    # the row with the largest gap is rarely among the first ones
    monkeypatch.setattr(nearest, "PEAK", 1)
    monkeypatch.setattr(nearest, "SETTLED", 1)
    for share in (0.0, 0.9, 0.99, 1 - 1e-9):
        assert largest_gap(X, kept, left_out, metric, share * true) == pytest.approx(true, rel=1e-12)
    assert largest_gap(X, kept, left_out, metric, 1.001 * true) == 1.001 * true


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 90]), st.integers(1, 1500))
@settings(max_examples=25, deadline=None)
def test_against_the_definition_where_candidates_rule_out_few_rows(seed: int, d: int, k: int) -> None:
    # to some rows, one kept row is far nearer than all other rows, and rarely among the first candidates
    rng = np.random.default_rng(seed)
    X = rng.exponential(size=(1600, d)) ** 3
    kept = rng.permutation(1600)[:k]
    assert epsilon(X, None, kept) == cdist(X, X[kept], "chebyshev").min(axis=1).max()
    radius = cdist(X, X[kept]).min(axis=1).max()
    assert covering_radius(X, None, kept) == pytest.approx(radius, rel=1e-12)


def test_near_rows_and_their_distances() -> None:
    X = np.array([[0.0], [5.0], [1.0], [7.0]])
    near = near_rows(X, np.array([0, 3]), np.array([1, 2]), 3)
    assert near.tolist() == [[2, 1], [1, 2]]
    assert pair_distances(X, np.array([0, 3]), near, "euclidean").tolist() == [[1, 5], [2, 6]]
    single = np.array([[1.0], [-1e-9]], np.float32)
    found = pair_distances(single, np.array([0]), np.array([[1]]), "chebyshev")
    assert found.item() == pytest.approx(1.0 + 1e-9, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equal_rows_are_exactly_0_apart(dtype: str) -> None:
    # far from the origin, where products of the rows lose the digits of their differences
    rng = np.random.default_rng(0)
    X = np.tile(1e4 + rng.normal(size=(300, 40)), (2, 1)).astype(dtype)
    kept = np.arange(300)
    assert epsilon(X, None, kept) == covering_radius(X, None, kept) == 0.0
    # a copy of each image is kept: no image is nearer than its copy
    assert coverage(X, None, kept, neighbours=1).value == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gaps_far_from_the_origin(dtype: str) -> None:
    rng = np.random.default_rng(1)
    X = (1e4 + rng.normal(size=(800, 30))).astype(dtype)
    kept = rng.permutation(800)[:600]
    radius = cdist(X, X[kept]).min(axis=1).max()
    assert covering_radius(X, None, kept) == pytest.approx(radius, rel=1e-12)


def test_coverage_of_more_images_than_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhoods, "OTHERS", 64)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(600, 3))
    kept = rng.permutation(600)[:250]
    near = np.argpartition(cdist(X, X), 3, axis=1)[:, :3]
    exact = np.isin(near, kept).any(axis=1).mean()
    assert coverage(X, None, kept, neighbours=3, max_images=None).value == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("where", ["in two far places", "far from the origin", "in single precision"])
@pytest.mark.parametrize("seed", range(3))
def test_coverage_of_near_duplicates(where: str, seed: int) -> None:
    # products of rows lose the digits that decide which row is nearest
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 30))
    if where == "in two far places":
        X = 1e-3 * X + 1e4 * (np.arange(200) % 2)[:, None]
    elif where == "far from the origin":
        X = 1e-3 * X + 1e6
    else:
        X = (1e-6 * X + 1.0).astype(np.float32)
    kept = rng.permutation(200)[:30]
    distances = cdist(X, X)
    nearer = (distances < distances[:, kept].min(axis=1, keepdims=True) * (1 - 1e-10)).sum(axis=1)
    assert coverage(X, None, kept, neighbours=5).value == pytest.approx((nearer < 5).mean(), abs=1e-12)
