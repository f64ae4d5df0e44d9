from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.methods import nrmd
from detreduce.reducers.methods.nrmd import DECOMPOSITIONS, Rows


def plain_scores(A: np.ndarray) -> np.ndarray:
    """Compute the paper's formula literally, from numpy's SVD; samples are the columns of A."""
    U, s, _ = np.linalg.svd(A, full_matrices=False)
    s = s[s >= 1e-7 * s[0]]
    w = (1 / s) / (1 / s).sum()
    scores = []
    for a in A.T:
        unit = a / np.linalg.norm(a) if a.any() else a
        scores.append(sum(w[i] * -np.log(max(abs(unit @ U[:, i]), 1e-3)) for i in range(len(s))))
    return np.array(scores)


def mirror_scores(rows: Rows, name: str = "svd") -> np.ndarray:
    return nrmd.mirror_scores(rows, *DECOMPOSITIONS[name](rows))


def one_hot(y: np.ndarray) -> np.ndarray:
    return (y[:, None] == np.unique(y)).astype(float)


def test_by_hand() -> None:
    # U = the axes, s = (2, 1), w = (1/3, 2/3); along an axis, the other cosine counts as 1e-3
    A = np.array([[2.0, 0.0], [0.0, 1.0]])
    big = -np.log(1e-3)
    np.testing.assert_allclose(mirror_scores(Rows(A)), [2 / 3 * big, 1 / 3 * big], rtol=1e-12)
    np.testing.assert_allclose(mirror_scores(Rows(np.vstack([A, [0, 0]])))[2], big, rtol=1e-12)
    assert mirror_scores(Rows(np.zeros((3, 2)))).tolist() == [big] * 3
    assert mirror_scores(Rows(np.ones((5, 3)))).tolist() == [0.0] * 5


def test_golden(shared: Path) -> None:
    inputs = np.load(shared / "golden" / "inputs.npz", allow_pickle=False)
    for case in json.loads((shared / "golden" / "reference_selections.json").read_text())["cases"]:
        X, y = inputs[f"{case['name']}_X"], inputs[f"{case['name']}_y"].astype(np.int64)
        expected = case["nrmd_svd"]
        joint = mirror_scores(Rows(X, y, len(np.unique(y))))
        np.testing.assert_allclose(joint, expected["joint"], rtol=1e-8)
        reducer = make_reducer("nrmd").fit(X, y)
        np.testing.assert_allclose(reducer.scores_, expected["score"], rtol=1e-8)
        np.testing.assert_allclose(reducer.scores_ / joint, expected["within"], rtol=1e-8)


@pytest.mark.parametrize("spread", [1.0, 1e-2, 1e-6])
@pytest.mark.parametrize("n", [6, 30, 9000])
def test_against_the_formula(n: int, spread: float) -> None:
    # singular values over `spread`: a Gram matrix would lose the smallest of 1e-6
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 8)) * np.geomspace(1, spread, 8) @ np.linalg.qr(rng.normal(size=(8, 8)))[0]
    np.testing.assert_allclose(mirror_scores(Rows(X)), plain_scores(X.T), rtol=1e-9)
    y = rng.integers(3, size=n)
    joint = mirror_scores(Rows(X, y, 3))
    np.testing.assert_allclose(joint, plain_scores(np.hstack([X, np.eye(3)[y]]).T), rtol=1e-9)


def test_categories_and_all_images_share_their_products() -> None:
    # more and fewer rows than columns, a column of zeros, and a category of zeros
    rng = np.random.default_rng(2)
    X = np.hstack([rng.normal(size=(300, 5)), np.zeros((300, 1))])
    y = np.repeat([0, 1, 2], [280, 4, 16])
    X[y == 2] = 0.0
    expected = plain_scores(np.hstack([X, one_hot(y)]).T)
    for code in range(3):
        expected[y == code] *= plain_scores(X[y == code].T) if code < 2 else -np.log(1e-3)
    np.testing.assert_allclose(make_reducer("nrmd").fit(X, y).scores_, expected, rtol=1e-9)


def test_scale_does_not_matter_to_a_matrix() -> None:
    X = np.random.default_rng(0).normal(size=(50, 4))
    np.testing.assert_allclose(mirror_scores(Rows(X * 1e200)), mirror_scores(Rows(X)), rtol=1e-12)


@pytest.mark.parametrize("name", ["qr", "nmf"])
def test_other_decompositions(name: str) -> None:
    rng = np.random.default_rng(0)
    X, y = np.abs(rng.normal(size=(60, 5))), rng.integers(2, size=60)
    reducer = make_reducer("nrmd", decomposition=name).fit(X, y)
    assert np.isfinite(reducer.scores_).all() and len(np.unique(reducer.scores_)) == 60
    order = rng.permutation(60)
    permuted = make_reducer("nrmd", decomposition=name).fit(X[order], y[order])
    np.testing.assert_allclose(permuted.scores_, reducer.scores_[order], rtol=1e-4)


def test_qr_by_hand() -> None:
    # the longest column (0, 3) is the first axis, |R| = 3 and 1
    big = -np.log(1e-3)
    scores = mirror_scores(Rows(np.array([[1.0, 0.0], [0.0, 3.0]])), "qr")
    np.testing.assert_allclose(scores, [1 / 4 * big, 3 / 4 * big], rtol=1e-12)


def test_released_behaviour_lets_categories_vanish() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(50, 6)), np.ones((4, 6)) + 1e-3 * rng.normal(size=(4, 6))])
    y = np.repeat([0, 1], [50, 4])
    assert make_reducer("nrmd", keep=8).fit(X, y).seats_.min() >= 1
    released = make_reducer("nrmd", keep=8, as_released=True).fit(X, y)
    np.testing.assert_allclose(released.scores_, make_reducer("nrmd").fit(X, y).scores_)
    assert set(released.selected_idx_) == set(np.argsort(-released.scores_)[:8])


def test_unknown_decomposition() -> None:
    with pytest.raises(InputError, match=r"not one of svd, qr, nmf\. Did you mean 'svd'"):
        make_reducer("nrmd", decomposition="svdd").fit(np.eye(3))
