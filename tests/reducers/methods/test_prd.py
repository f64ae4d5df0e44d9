from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.engine.distances import kernels
from detreduce.reducers.engine.search import prototype_search
from detreduce.reducers.engine.search.nnls import GrowingFit


def gaussian(X: np.ndarray, sigma: float) -> np.ndarray:
    return np.exp(-((X[:, None] - X[None]) ** 2).sum(axis=2) / (2 * sigma**2))


def best_weights(K: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Argmax w.mu - w'Kw/2 over w >= 0 by scipy's Lawson-Hanson."""
    L = np.linalg.cholesky(K)
    return nnls(L.T, np.linalg.solve(L, mu))[0]


def plain_prd(K: np.ndarray, k: int) -> tuple[list[int], np.ndarray, list[float]]:
    """Compute the definition literally."""
    mu = K.mean(axis=1)
    order: list[int] = []
    objectives, gradient = [], mu.copy()
    for _ in range(k):
        gradient[order] = -np.inf
        order.append(int(gradient.argmax()))
        KS = K[np.ix_(order, order)]
        w = best_weights(KS, mu[order])
        objectives.append(w @ mu[order] - w @ KS @ w / 2)
        gradient = mu - K[:, order] @ w
    return order, w, objectives


def clustered(n: int, d: int, seed: int, spread: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(9, d))[rng.integers(9, size=n)] + spread * rng.normal(size=(n, d))


def test_by_hand() -> None:
    # Rows 0, 0 and 3, sigma 1: K(0, 3) = e^-4.5 = c. mu = ((2 + c) / 3, (2 + c) / 3, (1 + 2c) / 3). A 0 comes first,
    # with weight mu_0. Then the gradient of the second 0 is 0, and the gradient of 3 is mu_2 - c mu_0 > 0.
    X = np.array([[0.0], [0.0], [3.0]])
    c = np.exp(-4.5)
    reducer = make_reducer("prd", keep=2, sigma=1.0).fit(X)
    assert reducer.selected_idx_[0] in (0, 1) and reducer.selected_idx_[1] == 2
    mu = np.array([(2 + c) / 3, (1 + 2 * c) / 3])
    assert reducer.scores_[reducer.selected_idx_] == pytest.approx([mu[0], mu[1] - c * mu[0]], rel=1e-12)
    assert reducer.weights_[reducer.selected_idx_] == pytest.approx([2 / 3, 1 / 3], rel=1e-12)
    assert reducer.objectives_[0][0] == pytest.approx(mu[0] ** 2 / 2)
    assert make_reducer("prd", keep=1.0, sigma=1.0).fit(X).weights_.sum() == pytest.approx(1.0)


def test_golden(shared: Path) -> None:
    inputs = np.load(shared / "golden" / "inputs.npz", allow_pickle=False)
    for case in json.loads((shared / "golden" / "reference_selections.json").read_text())["cases"]:
        X, y = inputs[f"{case['name']}_X"], inputs[f"{case['name']}_y"]
        for sigma, key in ((2.0, "prd_gaussian_sigma2_keep25"), (0.5, "prd_gaussian_sigma0.5_keep25")):
            for one in case[key]:
                rows = np.flatnonzero(y == y[one["order"][0]])
                theirs = np.searchsorted(rows, one["order"])
                reducer = make_reducer("prd", keep=len(theirs), sigma=sigma).fit(X[rows])
                assert (reducer.objectives_[0] >= np.array(one["objective"]) - 1e-4).all()
                K = gaussian(X[rows], sigma)
                mu = K.mean(axis=1)
                for t, pick in enumerate(theirs):
                    before = theirs[:t]
                    gradient = mu - K[:, before] @ best_weights(K[np.ix_(before, before)], mu[before]) if t else mu
                    assert gradient[pick] >= np.delete(gradient, before).max() - 3e-4


@given(st.integers(0, 10_000), st.sampled_from([1, 3, 40]), st.sampled_from([0.3, 1.0, 3.0]))
@settings(max_examples=25, deadline=None)
def test_against_the_definition(seed: int, d: int, sigma: float) -> None:
    X = clustered(60, d, seed)
    K = gaussian(X, sigma)
    k = 25
    reducer = make_reducer("prd", keep=k, sigma=sigma).fit(X)
    order, mu = reducer.selected_idx_, K.mean(axis=1)
    K += 1e-13 * np.eye(60)
    for t in range(k):
        before = order[:t]
        w = best_weights(K[np.ix_(before, before)], mu[before]) if t else np.empty(0)
        gradient = mu - K[:, before] @ w
        assert gradient[order[t]] >= np.delete(gradient, before).max() - 1e-9
        if t:
            objective = w @ mu[before] - w @ K[np.ix_(before, before)] @ w / 2
            assert reducer.objectives_[0][t - 1] == pytest.approx(objective, rel=1e-9)


def test_hot_rows_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    X = clustered(900, 6, 0)
    K = gaussian(X, 1.5)
    order, w, _ = plain_prd(K, 60)
    # screening in float32, screening in 16 bits, no screening
    for chunk, dense, wide in ((100, 10, 2**30), (100, 5000, 0), (5000, 5000, 2**30)):
        monkeypatch.setattr(prototype_search, "CHUNK", chunk)
        monkeypatch.setattr(prototype_search, "WIDE_BYTES", wide)
        monkeypatch.setattr(kernels, "DENSE_ROWS", dense)
        for hot in (2, 30):
            monkeypatch.setattr(np, "clip", lambda value, low, high, hot=hot: hot)
            reducer = make_reducer("prd", keep=60, sigma=1.5).fit(X)
            assert reducer.selected_idx_.tolist() == order
            np.testing.assert_allclose(reducer.weights_[order], w, atol=1e-9)


def test_goes_on_from_initial() -> None:
    X = clustered(120, 5, 1)
    whole = make_reducer("prd", keep=30).fit(X)
    rest = make_reducer("prd", keep=30).fit(X, initial=whole.selected_idx_[:11])
    assert rest.selected_idx_.tolist() == whole.selected_idx_.tolist()
    np.testing.assert_allclose(rest.weights_, whole.weights_, atol=1e-10)
    np.testing.assert_allclose(rest.objectives_[0], whole.objectives_[0][11:], rtol=1e-12)


def test_weights_of_each_category() -> None:
    X, y = clustered(90, 5, 2), np.repeat(["a", "b"], [60, 30])
    reducer = make_reducer("prd", keep=0.3).fit(X, y)
    for label in ("a", "b"):
        chosen = reducer.selected_idx_[y[reducer.selected_idx_] == label]
        mine = np.flatnonzero(y == label)
        K = gaussian(X[mine], reducer.sigmas_[label])
        inside = np.searchsorted(mine, chosen)
        expected = best_weights(K[np.ix_(inside, inside)], K.mean(axis=1)[inside])
        np.testing.assert_allclose(reducer.weights_[chosen], expected, atol=1e-8)
    assert np.count_nonzero(reducer.weights_) <= len(reducer.selected_idx_)


def test_sigma_auto_is_the_median_distance() -> None:
    X = np.array([[0.0], [1.0], [3.0], [7.0]])
    reducer = make_reducer("prd", keep=1).fit(X)
    assert reducer.sigmas_[0] == pytest.approx(3.5)  # of 1, 2, 3, 4, 6, 7
    many = clustered(3000, 3, 0)
    order = np.random.default_rng(0).permutation(3000)
    a, b = (make_reducer("prd", keep=1).fit(rows).sigmas_[0] for rows in (many, many[order]))
    assert a == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize(("scale", "shift"), [(1e3, 0.0), (1.0, 1e3)])
def test_scaled_and_shifted(scale: float, shift: float) -> None:
    X = clustered(150, 6, 3)
    plain, moved = (make_reducer("prd", keep=30).fit(form) for form in (X, scale * X + shift))
    assert plain.selected_idx_.tolist() == moved.selected_idx_.tolist()


def test_released_kernel_is_linear() -> None:
    X = np.abs(clustered(40, 6, 4))
    order, _, _ = plain_prd(X @ X.T + 1e-12 * np.eye(40), 4)
    released = make_reducer("prd", keep=20, as_released=True).fit(X)
    assert released.selected_idx_[:4].tolist() == order
    assert abs(released.scores_[released.selected_idx_[-1]]) < 1e-9


@given(st.integers(0, 10_000), st.floats(0.2, 3.0))
@settings(max_examples=40, deadline=None)
def test_growing_fit_against_scipy(seed: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(25, 2))
    K = gaussian(X, sigma) + 1e-6 * np.eye(25)
    mu = rng.normal(size=25)  # products of any sign: many weights are 0, and rows enter and leave
    fit = GrowingFit(25)
    for m in range(25):
        assert fit.add(K[:m, m], K[m, m], mu[m])
        expected = best_weights(K[: m + 1, : m + 1], mu[: m + 1])
        np.testing.assert_allclose(fit.weights, expected, atol=1e-5 * max(1.0, np.abs(expected).max()))
    before = fit.weights
    fit.refresh()
    np.testing.assert_allclose(fit.weights, before, atol=1e-5 * max(1.0, np.abs(before).max()))


def test_means_in_blocks_and_in_float32_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    X = clustered(2500, 8, 5)
    points = kernels.CentredPoints.of(X)
    kernel = kernels.Kernel.gaussian(points, 1.0)
    exact = kernel.means(lambda _: None)
    np.testing.assert_allclose(exact[:50], gaussian(np.vstack([X]), 1.0)[:50].mean(axis=1), rtol=1e-10)
    np.testing.assert_array_equal(exact, kernel.dense.mean(axis=1))
    monkeypatch.setattr(kernels, "DENSE_ROWS", 100)
    kernel = kernels.Kernel.gaussian(points, 1.0)
    np.testing.assert_allclose(kernel.means(lambda _: None), exact, rtol=1e-12)
    monkeypatch.setattr(kernels, "EXACT_ROWS", 100)
    np.testing.assert_allclose(kernel.means(lambda _: None), exact, rtol=1e-5)


@pytest.mark.parametrize("sigma", [0, -1.0, "wide", float("inf"), float("nan"), True, None])
def test_refused_sigma(sigma: object) -> None:
    with pytest.raises(InputError, match="sigma"):
        make_reducer("prd", sigma=sigma).fit(np.eye(3))


@pytest.mark.parametrize("sigma", [1e-300, 1e300])
def test_widths_beyond_all_distances(sigma: float) -> None:
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert len(make_reducer("prd", keep=5, sigma=sigma).fit(clustered(40, 3, 0)).selected_idx_) == 5
