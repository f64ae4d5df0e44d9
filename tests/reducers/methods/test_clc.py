from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detreduce.reducers import make_reducer


def clustered(n: int, d: int, seed: int = 0, spread: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(7, d))[rng.integers(7, size=n)] + spread * rng.normal(size=(n, d))


def inertia(X: np.ndarray, centres: np.ndarray) -> float:
    return float(((X[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1).sum())


def test_by_hand() -> None:
    # three groups of 4, 3 and 2 images: the middle image of each group, the largest group first
    X = np.array([[0.0], [1.0], [2.0], [1.1], [50.0], [51.0], [52.5], [100.0], [100.5]])
    reducer = make_reducer("clc", keep=3).fit(X)
    assert reducer.selected_idx_[:2].tolist() == [1, 5] and reducer.selected_idx_[2] in (7, 8)
    assert reducer.scores_[reducer.selected_idx_].tolist() == [4.0, 3.0, 2.0]
    assert reducer.scores_[0] == pytest.approx(-1.025)


def test_never_repeats_an_image() -> None:
    X = np.repeat([[0.0, 0.0], [1.0, 1.0]], [30, 3], axis=0)
    reducer = make_reducer("clc", keep=20).fit(X)
    assert len(set(reducer.selected_idx_.tolist())) == 20


def test_initial_serves_its_cluster() -> None:
    X = np.array([[0.0], [1.0], [2.0], [50.0], [51.0], [52.0], [100.0], [101.0], [102.0]])
    chosen = make_reducer("clc", keep=3).fit(X, initial=[3]).selected_idx_
    assert chosen[0] == 3 and sorted(chosen[1:].tolist()) == [1, 7]


def test_against_scikit_learn() -> None:
    from sklearn.cluster import KMeans

    X = clustered(300, 4, spread=0.05)
    theirs = KMeans(7, n_init=10, random_state=0).fit(X)
    nearest: set[Any] = set(((X[:, None] - theirs.cluster_centers_[None]) ** 2).sum(axis=2).argmin(axis=0).tolist())
    best = min(
        (make_reducer("clc", keep=7, random_state=seed).fit(X).selected_idx_ for seed in range(5)),
        key=lambda chosen: inertia(X, X[chosen]),
    )
    assert set(best.tolist()) == nearest
