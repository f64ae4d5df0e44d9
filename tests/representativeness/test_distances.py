from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from detreduce.errors import InputError
from detreduce.representativeness import covering_radius, epsilon, lost_categories


def test_epsilon_by_hand() -> None:
    X = np.array([[0.0, 0.0], [3.0, 1.0], [10.0, 0.0], [10.0, 2.0]])
    y = ["a", "a", "b", "b"]
    assert epsilon(X, y, [0, 2]) == 3.0  # |(3, 1)| = 3 against |(0, 2)| = 2
    assert epsilon(X, None, [0, 2]) == 3.0
    assert epsilon(X, y, [0, 1, 2, 3]) == 0.0


def test_a_lost_category_is_infinitely_far() -> None:
    X, y = np.arange(4.0)[:, None], ["a", "a", "b", "c"]
    assert epsilon(X, y, [0]) == np.inf
    assert epsilon(X, y, [0], skip_lost=True) == 1.0
    assert epsilon(X, y, []) == np.inf
    assert lost_categories(y, [0, 3]) == ["b"]


def plain_epsilon(X: np.ndarray, y: np.ndarray, kept: np.ndarray) -> float:
    worst = 0.0
    for c in set(y):
        mine = kept[y[kept] == c]
        distances = np.abs(X[y == c][:, None] - X[mine][None]).max(axis=2)
        worst = max(worst, float(distances.min(axis=1).max()) if len(mine) else np.inf)
    return worst


@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([1, 3, 70]))
@settings(max_examples=40, deadline=None)
def test_epsilon_against_the_definition(seed: int, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(60, d)) ** 3 + 100.0).round(3)
    y = rng.integers(3, size=60)
    kept = rng.permutation(60)[:k]
    assert epsilon(X, y, kept) == plain_epsilon(X, y, kept)


def test_epsilon_golden(shared: Path) -> None:
    inputs = np.load(shared / "golden" / "inputs.npz", allow_pickle=False)
    cases = json.loads((shared / "golden" / "reference_selections.json").read_text())["cases"]
    for case in cases:
        X, y = inputs[f"{case['name']}_X"], inputs[f"{case['name']}_y"]
        kept = [row for one in case["mms_keep25"] for row in one["order"]]
        assert epsilon(X, y, kept) == pytest.approx(case["epsilon_of_mms_keep25"], rel=1e-12)
        random = case["epsilon_of_random"]
        assert epsilon(X, y, random["selected"], skip_lost=True) == pytest.approx(random["epsilon"], rel=1e-12)


def test_refusals() -> None:
    with pytest.raises(InputError, match="row 9"):
        epsilon(np.ones((3, 2)), None, [9])
    with pytest.raises(InputError, match="row 1"):
        epsilon([[1.0], [np.nan]], None, [0])


@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([1, 3, 70]))
@settings(max_examples=40, deadline=None)
def test_covering_radius_against_the_definition(seed: int, k: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, d)) ** 3 + 100.0
    y = rng.integers(3, size=60)
    kept = rng.permutation(60)[:k]
    worst = 0.0
    for c in set(y):
        mine = kept[y[kept] == c]
        distances = np.linalg.norm(X[y == c][:, None] - X[mine][None], axis=2)
        worst = max(worst, float(distances.min(axis=1).max()) if len(mine) else np.inf)
    assert covering_radius(X, y, kept) == pytest.approx(worst, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distances_of_many_kept_rows_in_blocks(dtype: str) -> None:
    # more kept rows than one block has, in clusters, so that likely neighbours are not always the nearest
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(40, 80))[rng.integers(40, size=9000)] + 0.3 * rng.normal(size=(9000, 80))).astype(dtype)
    kept = rng.permutation(9000)[:6000]
    left = np.setdiff1d(np.arange(9000), kept)
    brute = {
        "chebyshev": max(
            cdist(X[left[i : i + 500]], X[kept], "chebyshev").min(axis=1).max() for i in range(0, 3000, 500)
        ),
        "euclidean": max(cdist(X[left[i : i + 500]], X[kept]).min(axis=1).max() for i in range(0, 3000, 500)),
    }
    assert epsilon(X, None, kept) == brute["chebyshev"]
    assert covering_radius(X, None, kept) == pytest.approx(brute["euclidean"], rel=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e3, 1e30])
@given(st.integers(0, 10_000), st.sampled_from(["float32", "float64"]), st.sampled_from([2, 66]))
@settings(max_examples=20, deadline=None)
def test_distances_of_uncommon_features(scale: float, seed: int, dtype: str, d: int) -> None:
    rng = np.random.default_rng(seed)
    # many equal rows and equal distances, and one image far from all
    X = rng.integers(4, size=(200, d)).astype(float)
    X[rng.integers(200)] *= 1e6
    X = (scale * X).astype(dtype)
    kept = rng.permutation(200)[: rng.integers(1, 150)]
    unit = 2.0 ** np.floor(np.log2(scale))
    whole = X.astype(float) / unit
    assert epsilon(X, None, kept) == cdist(whole, whole[kept], "chebyshev").min(axis=1).max() * unit
    radius = cdist(whole, whole[kept]).min(axis=1).max() * unit
    assert covering_radius(X, None, kept) == pytest.approx(radius, rel=1e-12)


def test_distances_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(3)
    X, y, kept = rng.normal(size=(500, 70)), rng.integers(2, size=500), rng.permutation(500)[:90]
    order = rng.permutation(500)
    place = np.argsort(order)
    for measure in (epsilon, covering_radius):
        assert measure(X, y, kept) == measure(X[order], y[order], place[kept])


def test_none_is_one_category() -> None:
    assert lost_categories(None, [3]) == [] and lost_categories(None, []) == [0]
