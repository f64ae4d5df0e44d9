from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.errors import InputError
from detreduce.reducers import make_reducer


def clustered(n: int, d: int, seed: int = 0, spread: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(7, d))[rng.integers(7, size=n)] + spread * rng.normal(size=(n, d))


def plain_farthest(X: np.ndarray, start: int, k: int) -> tuple[list[int], list[float]]:
    order, at = [start], [np.inf]
    near = np.linalg.norm(X - X[start], axis=1)
    while len(order) < k:
        order.append(int(near.argmax()))
        at.append(float(near.max()))
        near = np.minimum(near, np.linalg.norm(X - X[order[-1]], axis=1))
    return order, at


def test_mms_by_hand() -> None:
    # mean 3.5: row 1 (at 3) is nearest; then 11, 8 away; then 0 (3) and 7 between: 7 is 4 from both 3 and 11
    X = np.array([[0.0], [3.0], [11.0], [0.0], [7.0], [0.0]])
    reducer = make_reducer("mms", keep=3).fit(X)
    assert reducer.selected_idx_.tolist() == [1, 2, 4]
    assert reducer.scores_.tolist() == [3.0, np.inf, 8.0, 3.0, 4.0, 3.0]


def test_mms_per_category_and_starts() -> None:
    X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [15.0]])
    y = [0, 0, 0, 1, 1, 1]
    assert make_reducer("mms", keep=4, start=0).fit(X, y).selected_idx_.tolist() == [0, 4, 2, 5]
    assert make_reducer("mms", keep=4, start=[5, 0]).fit(X, y).selected_idx_.tolist() == [0, 5, 2, 3]
    assert make_reducer("mms", keep=4, start=np.int64(3)).fit(X, y).selected_idx_[:2].tolist() == [1, 3]
    for start, says in (
        ("middle", "start"),
        ([0, 1], "each category"),
        (9, "row 9"),
        ([0], "each category"),
        (True, "start"),
    ):
        with pytest.raises(InputError, match=says):
            make_reducer("mms", start=start).fit(X, y)


def test_mms_goes_on_from_initial() -> None:
    X = clustered(80, 3)
    whole = make_reducer("mms", keep=20, start=7).fit(X)
    rest = make_reducer("mms", keep=20).fit(X, initial=whole.selected_idx_[:9])
    assert rest.selected_idx_.tolist() == whole.selected_idx_.tolist()
    np.testing.assert_allclose(rest.scores_[whole.selected_idx_[9:]], whole.scores_[whole.selected_idx_[9:]])


def test_mms_golden(shared: Path) -> None:
    inputs = np.load(shared / "golden" / "inputs.npz", allow_pickle=False)
    cases = json.loads((shared / "golden" / "reference_selections.json").read_text())["cases"]
    for case in cases:
        X, y = inputs[f"{case['name']}_X"], inputs[f"{case['name']}_y"]
        starts = [one["start"] for one in case["mms_keep25"]]
        chosen = make_reducer("mms", keep=1.0, start=starts).fit(X, y).ranking_
        for one in case["mms_keep25"]:
            mine = chosen[y[chosen] == y[one["start"]]]
            assert mine[: len(one["order"])].tolist() == one["order"]


@pytest.mark.parametrize(("n", "d", "k"), [(400, 4, 400), (1500, 40, 500)])
def test_mms_against_gudhi(n: int, d: int, k: int) -> None:
    import gudhi

    X = clustered(n, d)
    reducer = make_reducer("mms", keep=k, start=3).fit(X.astype(np.float32))
    X = X.astype(np.float32).astype(np.float64)
    theirs = np.asarray(gudhi.choose_n_farthest_points(points=X, nb_points=k, starting_point=3))
    np.testing.assert_array_equal(X[reducer.selected_idx_], theirs)


@given(st.integers(0, 10_000), st.sampled_from([1e-6, 1.0, 1e6]), st.sampled_from([0.0, 1.0, 1e4]))
@settings(max_examples=25, deadline=None)
def test_mms_against_the_plain_algorithm(seed: int, scale: float, offset: float) -> None:
    X = scale * (clustered(90, 5, seed) + offset)
    order, at = plain_farthest(X, 11, 60)
    reducer = make_reducer("mms", keep=60, start=11).fit(X)
    assert reducer.selected_idx_.tolist() == order
    np.testing.assert_allclose(reducer.scores_[order], at, rtol=1e-9)


def test_mms_tight_pairs_far_from_the_origin() -> None:
    # 1e-4 apart at a distance of 1e3 from the mean: |x|^2 + |y|^2 - 2xy alone would lose all digits
    rng = np.random.default_rng(0)
    centres = 1e3 * rng.normal(size=(20, 8))
    X = np.concatenate([centres, centres + 1e-4 * rng.normal(size=(20, 8))])
    order, at = plain_farthest(X, 0, 40)
    reducer = make_reducer("mms", keep=1.0, start=0).fit(X)
    assert reducer.selected_idx_.tolist() == order
    np.testing.assert_allclose(reducer.scores_[order], at, rtol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1e3, 0.0), (1.0, 1e3), (1e3, -1e4)])
def test_mms_scaled_and_shifted(scale: float, shift: float) -> None:
    X = clustered(200, 12)
    plain = make_reducer("mms").fit(X)
    moved = make_reducer("mms").fit(scale * X + shift)
    assert plain.selected_idx_.tolist() == moved.selected_idx_.tolist()
    np.testing.assert_allclose(moved.scores_, scale * plain.scores_, rtol=1e-7)


def test_clc_by_hand() -> None:
    # three groups of 4, 3 and 2: the middle one of each group, the largest group's first
    X = np.array([[0.0], [1.0], [2.0], [1.1], [50.0], [51.0], [52.5], [100.0], [100.5]])
    reducer = make_reducer("clc", keep=3).fit(X)
    assert reducer.selected_idx_[:2].tolist() == [1, 5] and reducer.selected_idx_[2] in (7, 8)
    assert reducer.scores_[reducer.selected_idx_].tolist() == [4.0, 3.0, 2.0]
    assert reducer.scores_[0] == pytest.approx(-1.025)


def test_clc_never_repeats_an_image() -> None:
    X = np.repeat([[0.0, 0.0], [1.0, 1.0]], [30, 3], axis=0)
    reducer = make_reducer("clc", keep=20).fit(X)
    assert len(set(reducer.selected_idx_.tolist())) == 20


def test_clc_initial_serves_its_cluster() -> None:
    X = np.array([[0.0], [1.0], [2.0], [50.0], [51.0], [52.0], [100.0], [101.0], [102.0]])
    chosen = make_reducer("clc", keep=3).fit(X, initial=[3]).selected_idx_
    assert chosen[0] == 3 and sorted(chosen[1:].tolist()) == [1, 7]


def inertia(X: np.ndarray, centres: np.ndarray) -> float:
    return float(((X[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1).sum())


def test_clc_against_scikit_learn() -> None:
    from sklearn.cluster import KMeans

    X = clustered(300, 4, spread=0.05)
    theirs = KMeans(7, n_init=10, random_state=0).fit(X)
    nearest: set[Any] = set(((X[:, None] - theirs.cluster_centers_[None]) ** 2).sum(axis=2).argmin(axis=0).tolist())
    best = min(
        (make_reducer("clc", keep=7, random_state=seed).fit(X).selected_idx_ for seed in range(5)),
        key=lambda chosen: inertia(X, X[chosen]),
    )
    assert set(best.tolist()) == nearest


def test_rkm_by_hand() -> None:
    # two clusters whatever the categories are; equal shares though one is larger, its nearest to the centre first
    X = np.array([[0.0], [1.0], [2.0], [3.1], [4.0], [100.0], [101.0], [103.0]])
    y = ["a", "b"] * 4
    reducer = make_reducer("rkm", keep=4).fit(X, y)
    assert reducer.selected_idx_.tolist() == [2, 6, 1, 5] or reducer.selected_idx_.tolist() == [2, 6, 3, 5]
    assert reducer.scores_[2] == pytest.approx(-0.02) and reducer.scores_[7] == pytest.approx(-5 / 3)
    assert reducer.seats_.sum() == 4
    # the smaller cluster is topped up from the larger
    assert make_reducer("rkm", keep=7).fit(X, y).strata_[5] == make_reducer("rkm", keep=7).fit(X, y).strata_[7]
    assert {5, 6, 7} <= set(make_reducer("rkm", keep=7).fit(X, y).selected_idx_.tolist())


def test_des_prefers_images_between_categories() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(-10, 0.1, (40, 1)), rng.normal(10, 0.1, (40, 1)), [[0.0]]])
    y = np.repeat([0, 1, 0], [40, 40, 1])
    for seed in range(5):
        reducer = make_reducer("des", keep=10, random_state=seed).fit(X, y)
        chosen = reducer.selected_idx_
        assert 80 in chosen and np.isinf(reducer.scores_[chosen]).sum() >= 2
        assert reducer.scores_[80] in (np.inf, pytest.approx(1.0, abs=0.05))
    far = make_reducer("des", keep=10, sign=1, standardise=False).fit(X, y)
    np.testing.assert_allclose(
        far.scores_, make_reducer("des", keep=10, as_released=True).fit(X, y).scores_, rtol=0, atol=0
    )


def test_des_base_counts() -> None:
    X, y = clustered(100, 4), np.repeat([0, 1, 2], [60, 30, 10])
    for keep, base, expected in ((50, 0.2, 10), (50, 0.0, 3), (2, 0.2, 2), (50, 1.0, 50)):
        reducer = make_reducer("des", keep=keep, base=base).fit(X, y)
        assert np.isinf(reducer.scores_).sum() == expected
    kept = make_reducer("des", keep=50).fit(X, y, initial=[99, 1])
    assert np.isinf(kept.scores_).sum() == 10 and kept.selected_idx_[:2].tolist() == [99, 1]


def test_des_with_one_category_draws_and_says_so() -> None:
    with pytest.warns(UserWarning, match="one category"):
        draws = {tuple(make_reducer("des", keep=5, random_state=s).fit(np.eye(30)).selected_idx_) for s in range(4)}
    assert len(draws) == 4


@pytest.mark.parametrize("bad", [{"base": 1.5}, {"base": True}, {"sign": 0}, {"standardise": "no"}])
def test_des_refusals(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        make_reducer("des", **bad).fit(np.eye(4), [0, 0, 1, 1])
