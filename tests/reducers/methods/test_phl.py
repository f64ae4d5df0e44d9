from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detreduce.arrays.distances import CentredPoints
from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.engine.distances.neighbours import nearest_neighbours


@pytest.mark.parametrize("version", ["restrictedDim", "multiDim"])
@pytest.mark.parametrize("dim", [0, 1])
def test_golden(shared: Path, version: str, dim: int) -> None:
    inputs = np.load(shared / "golden" / "inputs.npz", allow_pickle=False)
    for case in json.loads((shared / "golden" / "reference_selections.json").read_text())["cases"]:
        X, y = inputs[f"{case['name']}_X"], inputs[f"{case['name']}_y"]
        expected = case[f"phl_{version}_dim{dim}"]
        reducer = make_reducer("phl", radius=expected["radius"], version=version, dim=dim).fit(X, y)
        np.testing.assert_allclose(reducer.persistence_, expected["score"], atol=1e-6)
        assert reducer.super_outlier_.tolist() == expected["super_outlier"]


def plain_persistence(X: np.ndarray, radius: float, dims: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Compute the definition literally, with GUDHI's simplex tree."""
    import gudhi

    largest, outlier = np.zeros(len(X)), np.zeros(len(X), bool)
    for i, x in enumerate(X):
        distance = np.linalg.norm(X - x, axis=1)
        near = np.flatnonzero((distance <= radius) & (np.arange(len(X)) != i))
        outlier[i] = len(near) < 2
        if outlier[i]:
            continue
        tree = gudhi.RipsComplex(points=X[near]).create_simplex_tree(max_dimension=max(dims) + 1)
        bars = [death - birth for dim, (birth, death) in tree.persistence() if dim in dims and np.isfinite(death)]
        largest[i] = max(bars, default=0.0)
    return largest, outlier


@pytest.mark.parametrize(("version", "dim", "dims"), [("restrictedDim", 1, [1]), ("multiDim", 1, [0, 1])])
def test_against_gudhi_simplex_trees(version: str, dim: int, dims: list[int]) -> None:
    X = np.random.default_rng(3).normal(size=(70, 3))
    reducer = make_reducer("phl", radius=1.3, version=version, dim=dim).fit(X)
    persistence, outlier = plain_persistence(X, 1.3, dims)
    np.testing.assert_allclose(reducer.persistence_, persistence, atol=1e-7)
    np.testing.assert_array_equal(reducer.super_outlier_, outlier)
    assert 0 < outlier.sum() < 35 and (persistence > 0).sum() > 10


def ring_and_lump() -> np.ndarray:
    # a square of side 1 around its midpoint, a filled line, and one image far away
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
    line = np.column_stack([np.full(5, 10.0), np.linspace(0, 0.4, 5)])
    return np.vstack([square, line, [[100.0, 100.0]]])


def test_by_hand() -> None:
    # the midpoint has the four corners as neighbours: a loop born at 1, filled at sqrt 2; no other image has a loop
    X = ring_and_lump()
    reducer = make_reducer("phl", radius=0.9, keep=1.0).fit(X)
    assert reducer.persistence_[4] == pytest.approx(np.sqrt(2) - 1)
    assert np.flatnonzero(reducer.persistence_).tolist() == [4]
    # a corner has only the midpoint within 0.9
    assert np.flatnonzero(reducer.super_outlier_).tolist() == [0, 1, 2, 3, 10]
    assert set(reducer.selected_idx_[:5]) == {5, 6, 7, 8, 9}
    assert reducer.selected_idx_[5] == 4 and set(reducer.selected_idx_[6:]) == {0, 1, 2, 3, 10}
    vital = make_reducer("phl", radius=0.9, keep=1.0, landmark="vital").fit(X)
    assert vital.selected_idx_[0] == 4 and set(vital.selected_idx_[6:]) == {0, 1, 2, 3, 10}
    assert vital.scores_[4] == pytest.approx(np.sqrt(2) - 1) and np.isneginf(vital.scores_[10])


def test_gaps_by_hand() -> None:
    # at 0, the neighbours 1, 2 and 4: bars of 1 and 2 in dimension 0
    X = np.array([[0.0], [1.0], [2.0], [4.0], [50.0]])
    reducer = make_reducer("phl", radius=5.0, dim=0).fit(X)
    assert reducer.persistence_[:4].tolist() == pytest.approx([2.0, 2.0, 3.0, 1.0])


def test_radius_auto_is_the_median_distance_to_the_tenth() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    tenth = np.sort(np.linalg.norm(X[:, None] - X[None], axis=2), axis=1)[:, 10]
    y = np.repeat([0, 1], [34, 6])
    assert make_reducer("phl").fit(X).radii_[0] == pytest.approx(np.median(tenth))
    few = np.sort(np.linalg.norm(X[34:, None] - X[None, 34:], axis=2), axis=1)[:, 5]
    assert make_reducer("phl").fit(X, y).radii_[1] == pytest.approx(np.median(few))


def test_only_the_nearest_count() -> None:
    X = ring_and_lump()
    near = np.concatenate([X, X[4] + 1e-3 * np.random.default_rng(0).normal(size=(4, 2))])
    # four nearer images take the place of the corners
    assert make_reducer("phl", radius=0.9, max_neighbours=4).fit(near).persistence_[4] < 0.01


def test_nearest_neighbours_of_tight_pairs() -> None:
    rng = np.random.default_rng(0)
    centres = 1e3 * rng.normal(size=(15, 4))
    X = np.concatenate([centres, centres + 1e-5 * rng.normal(size=(15, 4)), centres])
    rows, distances = nearest_neighbours(CentredPoints.of(X), 2, lambda _: None)
    assert rows[:15, 0].tolist() == list(range(30, 45)) and (distances[:15, 0] == 0).all()
    np.testing.assert_allclose(distances[:15, 1], np.linalg.norm(X[15:30] - X[:15], axis=1), rtol=1e-7)


def test_released_radius_makes_all_super_outliers() -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    orders = {tuple(make_reducer("phl", as_released=True, random_state=seed).fit(X).selected_idx_) for seed in range(3)}
    assert len(orders) == 3
    assert make_reducer("phl", as_released=True).fit(X).super_outlier_.all()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"landmark": "vitel"}, "Did you mean 'vital'"),
        ({"version": "x"}, "version"),
        ({"dim": -1}, "dim"),
        ({"dim": 1.0}, "dim"),
        ({"radius": -1}, "radius"),
        ({"radius": "wide"}, "radius"),
        ({"max_neighbours": 1}, "max_neighbours"),
    ],
)
def test_refusals(bad: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_reducer("phl", **bad).fit(np.eye(3))
