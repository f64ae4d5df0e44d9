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
from detreduce.reducers.methods import des
from detreduce.reducers.methods.des import distance_entropy


def test_entropy_golden(shared: Path) -> None:
    inputs = np.load(shared / "golden" / "inputs.npz", allow_pickle=False)
    cases = json.loads((shared / "golden" / "reference_selections.json").read_text())["cases"]
    for case in cases:
        X, y = inputs[f"{case['name']}_X"], inputs[f"{case['name']}_y"]
        base, pool = np.array(case["des"]["base"]), np.array(case["des"]["pool"])
        prototypes = np.array([X[base[y[base] == c]].mean(axis=0) for c in np.unique(y)])
        mine = distance_entropy(X[pool], prototypes, sign=1)
        np.testing.assert_allclose(mine, case["des"]["entropy_bits"], rtol=1e-9, atol=1e-12)


def test_entropy_by_hand() -> None:
    # equal distances to both: one bit; distances 0 and log 3: p = 3/4, 1/4
    prototypes = np.array([[0.0], [np.log(3.0)]])
    expected = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    mine = distance_entropy(np.array([[np.log(3.0) / 2], [0.0], [1e6]]), prototypes)
    assert mine.tolist() == pytest.approx([1.0, expected, expected])
    assert distance_entropy(np.ones((3, 1)), prototypes[:1]).tolist() == [0, 0, 0]


def test_entropy_of_large_distances_is_finite() -> None:
    prototypes = np.array([[0.0], [1e300]])
    assert distance_entropy(np.array([[1.0], [5e299]]), prototypes).tolist() == pytest.approx([0.0, 1.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(des, "PROTOTYPES", 200)
        far, near = np.array([[1.7e306], [-1.7e306]] * 100), np.array([[0.0]])
        for prototypes in (np.concatenate([far, near]), np.concatenate([near, far])):
            assert distance_entropy(near, prototypes).tolist() == [0.0]


def test_prefers_images_between_categories() -> None:
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


def test_base_counts() -> None:
    X, y = np.random.default_rng(0).normal(size=(100, 4)), np.repeat([0, 1, 2], [60, 30, 10])
    for keep, base, expected in ((50, 0.2, 10), (50, 0.0, 3), (2, 0.2, 2), (50, 1.0, 50)):
        reducer = make_reducer("des", keep=keep, base=base).fit(X, y)
        assert np.isinf(reducer.scores_).sum() == expected
    kept = make_reducer("des", keep=50).fit(X, y, initial=[99, 1])
    assert np.isinf(kept.scores_).sum() == 10 and kept.selected_idx_[:2].tolist() == [99, 1]


def test_with_one_category_draws_and_says_so() -> None:
    with pytest.warns(UserWarning, match="one category"):
        draws = {tuple(make_reducer("des", keep=5, random_state=s).fit(np.eye(30)).selected_idx_) for s in range(4)}
    assert len(draws) == 4


@pytest.mark.parametrize("bad", [{"base": 1.5}, {"base": True}, {"sign": 0}, {"standardise": "no"}])
def test_refusals(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        make_reducer("des", **bad).fit(np.eye(4), [0, 0, 1, 1])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([-1, 1]), st.sampled_from([1.0, 1e-200, 1e150]))
def test_entropy_does_not_depend_on_how_prototypes_are_read(seed: int, sign: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    X, prototypes = (size * rng.normal(size=(rows, 3)) for rows in rng.integers(1, 30, 2))
    whole = distance_entropy(X, prototypes, sign=sign)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(des, "PROTOTYPES", int(rng.integers(1, 8)))
        np.testing.assert_allclose(distance_entropy(X, prototypes, sign=sign), whole, rtol=1e-9, atol=1e-12)


def test_not_all_prototypes_are_in_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(des, "PROTOTYPES", 16)
    monkeypatch.setattr(des, "mean_rows", lambda X, groups, scale: (sizes.append(len(groups)), X[: len(groups)])[1])
    make_reducer("des", keep=100).fit(np.random.default_rng(0).normal(size=(200, 3)), np.arange(200) // 2)
    assert sum(sizes) >= 100 and max(sizes) <= 16
