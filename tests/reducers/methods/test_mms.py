from __future__ import annotations

import json
from pathlib import Path

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


def test_by_hand() -> None:
    # The mean is 3.5, and row 1 (at 3) is nearest. Then comes 11, 8 away. Then 7, which is 4 away from both 3 and 11;
    # then 0, which is 3 away.
    X = np.array([[0.0], [3.0], [11.0], [0.0], [7.0], [0.0]])
    reducer = make_reducer("mms", keep=3).fit(X)
    assert reducer.selected_idx_.tolist() == [1, 2, 4]
    assert reducer.scores_.tolist() == [3.0, np.inf, 8.0, 3.0, 4.0, 3.0]


def test_per_category_and_starts() -> None:
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


def test_goes_on_from_initial() -> None:
    X = clustered(80, 3)
    whole = make_reducer("mms", keep=20, start=7).fit(X)
    rest = make_reducer("mms", keep=20).fit(X, initial=whole.selected_idx_[:9])
    assert rest.selected_idx_.tolist() == whole.selected_idx_.tolist()
    np.testing.assert_allclose(rest.scores_[whole.selected_idx_[9:]], whole.scores_[whole.selected_idx_[9:]])


def test_golden(shared: Path) -> None:
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
def test_against_gudhi(n: int, d: int, k: int) -> None:
    import gudhi

    X = clustered(n, d)
    reducer = make_reducer("mms", keep=k, start=3).fit(X.astype(np.float32))
    X = X.astype(np.float32).astype(np.float64)
    theirs = np.asarray(gudhi.choose_n_farthest_points(points=X, nb_points=k, starting_point=3))
    np.testing.assert_array_equal(X[reducer.selected_idx_], theirs)


@given(st.integers(0, 10_000), st.sampled_from([1e-6, 1.0, 1e6]), st.sampled_from([0.0, 1.0, 1e4]))
@settings(max_examples=25, deadline=None)
def test_against_the_plain_algorithm(seed: int, scale: float, offset: float) -> None:
    X = scale * (clustered(90, 5, seed) + offset)
    order, at = plain_farthest(X, 11, 60)
    reducer = make_reducer("mms", keep=60, start=11).fit(X)
    assert reducer.selected_idx_.tolist() == order
    np.testing.assert_allclose(reducer.scores_[order], at, rtol=1e-9)


def test_tight_pairs_far_from_the_origin() -> None:
    # 1e-4 apart at a distance of 1e3 from the mean: |x|^2 + |y|^2 - 2xy alone would lose all digits
    rng = np.random.default_rng(0)
    centres = 1e3 * rng.normal(size=(20, 8))
    X = np.concatenate([centres, centres + 1e-4 * rng.normal(size=(20, 8))])
    order, at = plain_farthest(X, 0, 40)
    reducer = make_reducer("mms", keep=1.0, start=0).fit(X)
    assert reducer.selected_idx_.tolist() == order
    np.testing.assert_allclose(reducer.scores_[order], at, rtol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1e3, 0.0), (1.0, 1e3), (1e3, -1e4)])
def test_scaled_and_shifted(scale: float, shift: float) -> None:
    X = clustered(200, 12)
    plain = make_reducer("mms").fit(X)
    moved = make_reducer("mms").fit(scale * X + shift)
    assert plain.selected_idx_.tolist() == moved.selected_idx_.tolist()
    np.testing.assert_allclose(moved.scores_, scale * plain.scores_, rtol=1e-7)
