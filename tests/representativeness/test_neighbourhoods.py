from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from detreduce.errors import InputError
from detreduce.representativeness import coverage


def test_by_hand() -> None:
    # the three nearest of each image, itself included: 0, 1 and 2 have each other, 10 has 2 and 1, 11 has 10 and 2
    X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]])
    found = coverage(X, None, [0], neighbours=3)
    assert found.value == pytest.approx(3 / 5) and found.exact and found.neighbours == 3
    assert coverage(X, None, [2], neighbours=3).value == 1.0
    assert coverage(X, None, [2], neighbours=1).value == pytest.approx(1 / 5)


def test_lost_categories_are_not_covered() -> None:
    found = coverage(np.arange(6.0)[:, None], ["a"] * 4 + ["b"] * 2, [0, 1], neighbours=2)
    assert found.by_category["b"] == 0.0 and found.value < 4 / 6 + 1e-12


@pytest.mark.parametrize("d", [2, 90])
def test_against_the_definition(d: int) -> None:
    rng = np.random.default_rng(1)
    X, y, kept = rng.normal(size=(300, d)), rng.integers(3, size=300), rng.permutation(300)[:40]
    found = coverage(X, y, kept, neighbours=7)
    for c in range(3):
        mine = np.flatnonzero(y == c)
        near = np.argsort(cdist(X[mine], X[mine]), axis=1)[:, :7]
        assert found.by_category[c] == pytest.approx(np.isin(mine[near], kept).any(axis=1).mean())


def test_a_sample_is_seeded_and_said() -> None:
    X = np.random.default_rng(0).normal(size=(500, 3))
    kept = np.arange(50)
    exact = coverage(X, None, kept, max_images=None).value
    some = coverage(X, None, kept, max_images=200, seed=4)
    assert not some.exact and some.seed == 4 and some.images == 250  # 200 drawn, and the 50 kept
    assert some == coverage(X, None, kept, max_images=200, seed=4)
    assert some.value == pytest.approx(exact, abs=0.12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("seed", range(4))
def test_equal_distances_at_the_last_place_all_count(seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(3, size=(150, 3)).astype(dtype)
    kept = rng.permutation(150)[:10]
    distances = cdist(X.astype(float), X.astype(float))
    closer = (distances < distances[:, kept].min(axis=1, keepdims=True) * (1 - 1e-9)).sum(axis=1)
    for k in (1, 4, 30):
        assert coverage(X, None, kept, neighbours=k).value == pytest.approx((closer < k).mean())


def test_random_is_what_random_gives() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), np.repeat([0, 1], [200, 100])
    draws = [np.concatenate([rng.permutation(200)[:40], 200 + rng.permutation(100)[:10]]) for _ in range(60)]
    found = [coverage(X, y, kept) for kept in draws]
    assert np.mean([one.value for one in found]) == pytest.approx(found[0].at_random, abs=0.01)


def test_refusals() -> None:
    with pytest.raises(InputError, match="max_images=0"):
        coverage(np.eye(3), None, [0], max_images=0)
    with pytest.raises(InputError, match="neighbours"):
        coverage(np.eye(3), None, [0], neighbours=0)
