from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from detreduce.errors import InputError
from detreduce.representativeness import coverage


def test_by_hand() -> None:
    # of the three nearest, itself included: 0, 1 and 2 see each other, 10 sees 2 and 1, 11 sees 10 and 2
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


def test_refusals() -> None:
    with pytest.raises(InputError, match="neighbours"):
        coverage(np.eye(3), None, [0], neighbours=0)
