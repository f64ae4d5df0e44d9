from __future__ import annotations

import numpy as np
import pytest

from detreduce.reducers.engine.distances import kmeans as module
from detreduce.reducers.engine.distances.kmeans import first_centres, kmeans


def clustered(n: int, d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = 2.0 * rng.normal(size=(12, d))[rng.integers(12, size=n)] + rng.normal(size=(n, d))
    return X - X.mean(axis=0)


def inertia(X: np.ndarray, centres: np.ndarray) -> float:
    return float(((X[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1).sum())


@pytest.mark.parametrize("exact_rows", [0, 10_000])
def test_against_scikit_learn(exact_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.cluster import KMeans

    monkeypatch.setattr(module, "EXACT_ROWS", exact_rows)
    X = clustered(1500, 10)
    mine, theirs = [], []
    for seed in range(4):
        centres, labels = kmeans(X, 60, np.random.default_rng(seed))
        np.testing.assert_array_equal(labels, ((X[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1))
        mine.append(inertia(X, centres))
        theirs.append(KMeans(60, n_init=1, max_iter=50, random_state=seed).fit(X).inertia_)
    assert np.mean(mine) < 1.01 * np.mean(theirs)


def test_lloyd_from_the_same_centres(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.cluster import KMeans

    X = clustered(800, 4)
    start = np.arange(0, 800, 40)
    monkeypatch.setattr(module, "first_centres", lambda *_: start)
    monkeypatch.setattr(module, "TOLERANCE", 0.0)
    centres, labels = kmeans(X, 20, np.random.default_rng(0))
    theirs = KMeans(20, init=X[start], n_init=1, max_iter=50, tol=0.0).fit(X)
    np.testing.assert_allclose(centres, theirs.cluster_centers_, atol=1e-9)
    np.testing.assert_array_equal(labels, theirs.labels_)


def test_first_centres_follow_the_squared_distances() -> None:
    # From a 0, each draw is a 1 or the 3 with equal odds (9 * 1 against 3^2). A 1 leaves a cost of 4, the 3 leaves 9.
    # So the 3 is taken only if all four draws are the 3.
    X = np.repeat([[0.0], [1.0], [3.0]], [7, 9, 1], axis=0)
    picks = [first_centres(X, 2, np.random.default_rng(seed)) for seed in range(6000)]
    second = np.array([pick[1] for pick in picks if pick[0] < 7])
    assert (second >= 7).all()
    assert np.mean(second == 16) == pytest.approx(0.5**4, abs=0.015)


def test_first_centres_are_distinct() -> None:
    X = np.repeat(np.arange(5.0)[:, None], 6, axis=0)
    for k in (1, 5, 12, 30):
        chosen = first_centres(X, k, np.random.default_rng(0))
        assert len(set(chosen.tolist())) == k
        assert len(set(X[chosen[:5], 0])) == min(k, 5)


def test_more_centres_than_distinct_points() -> None:
    X = np.repeat([[0.0], [1.0]], [5, 4], axis=0)
    centres, labels = kmeans(X, 6, np.random.default_rng(0))
    assert centres.shape == (6, 1) and inertia(X, centres) == 0
    assert len(labels) == 9


@pytest.mark.parametrize("far", [1e3, 1e5])
def test_one_image_far_off_spoils_nothing(far: float) -> None:
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    X = np.vstack(
        [20 * rng.normal(size=(20, 8))[rng.integers(20, size=300)] + rng.normal(size=(300, 8)), np.full(8, far)]
    )
    Z = X - X.mean(axis=0)
    mine = np.mean([inertia(Z, kmeans(Z, 30, np.random.default_rng(seed))[0]) for seed in range(6)])
    assert mine < 1.05 * np.mean(
        [KMeans(30, n_init=1, max_iter=50, random_state=seed).fit(Z).inertia_ for seed in range(6)]
    )
