from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detreduce.reducers.engine.scaling import standardised
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
    # as far from both: one bit; distances 0 and log 3: p = 3/4, 1/4
    prototypes = np.array([[0.0], [np.log(3.0)]])
    expected = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    mine = distance_entropy(np.array([[np.log(3.0) / 2], [0.0], [1e6]]), prototypes)
    assert mine.tolist() == pytest.approx([1.0, expected, expected])
    assert distance_entropy(np.ones((3, 1)), prototypes[:1]).tolist() == [0, 0, 0]


def test_entropy_of_large_distances_is_finite() -> None:
    prototypes = np.array([[0.0], [1e300]])
    assert distance_entropy(np.array([[1.0], [5e299]]), prototypes).tolist() == pytest.approx([0.0, 1.0])


def test_standardised() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1e-5, 1.0, 1e200] + [1.0, 1e3, 0.0]
    Z = standardised(np.hstack([X, np.full((50, 1), 0.1)]))
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(Z.std(axis=0), [1, 1, 1, 0], atol=1e-9)
