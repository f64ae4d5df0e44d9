from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from detreduce.representativeness.screening import Screen


def features(kind: str, seed: int, dtype: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 30))
    if kind == "far from 0":
        X = 1e-3 * X + 1e3
    if kind == "one far image":
        X[3] *= 1e6
    if kind == "of all sizes":
        X *= np.exp(6 * rng.normal(size=(40, 1)))
    if kind == "equal in part":
        X = X[rng.integers(4, size=40)]
    if kind == "huge":
        X *= 1e35
    if kind == "tiny":
        X *= 1e-35
    return X.astype(dtype)


KINDS = ["plain", "far from 0", "one far image", "of all sizes", "equal in part", "huge", "tiny"]


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 10_000), st.sampled_from(["float32", "float64"]))
@settings(max_examples=15, deadline=None)
def test_bounds_hold_whatever_is_rounded(kind: str, seed: int, dtype: str) -> None:
    X = features(kind, seed, dtype)
    screen = Screen.of(X)
    rows = np.arange(len(X))
    block = screen.block(rows)
    exact = cdist(screen.exact(rows), screen.exact(rows)) ** 2
    upper = block.upper(block)
    lower = block.lower(block, upper)
    assert (upper >= exact * (1 - 1e-12)).all() and (lower <= exact * (1 + 1e-12)).all()
    # and they are of use: within a few thousandths of the squared norms
    size = block.squares[:, None] + block.squares
    assert (upper - lower <= 1e-4 * size + 1e-30).all()


def test_scaling_loses_no_digit() -> None:
    X = features("huge", 0, "float64")
    screen = Screen.of(X)
    np.testing.assert_array_equal(screen.exact(np.arange(40)) / screen.shrink, X)
    assert np.abs(screen.exact(np.arange(40))).max() <= 2.0


def test_one_far_image_does_not_move_the_centre() -> None:
    X = features("one far image", 0, "float64")
    assert np.linalg.norm(Screen.of(X).centre) < 2.0
