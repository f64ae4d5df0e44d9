from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from detreduce.arrays.distances import CentredPoints
from detreduce.errors import InputError
from detreduce.machine.parallel import parts_mapped_by
from detreduce.reducers import list_reducers, make_reducer, reducer_class
from detreduce.reducers.engine.distances.neighbours import Cells, nearest_neighbours, neighbours_in_cells
from detreduce.reducers.methods.facility import similarity_graph

IN_PARTS = ["prd", "facility"]


def clustered(n: int, seed: int = 0, d: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = 2.0 * rng.normal(size=(25, d))
    return centres[rng.integers(25, size=n)] + rng.normal(size=(n, d))


@pytest.mark.parametrize("method", list_reducers())
def test_a_method_chooses_in_parts_or_says_why_not(method: str) -> None:
    cls = reducer_class(method)
    if method in IN_PARTS:
        assert not cls.no_partitions
        make_reducer(method).check_partitions(3)
        return
    with pytest.raises(InputError, match=method):
        make_reducer(method).check_partitions(3)


@pytest.mark.parametrize("partitions", [0, -1, 2.0, True, "4", 61])
def test_a_wrong_number_of_parts_is_refused(partitions: Any) -> None:
    with pytest.raises(InputError, match="partitions="):
        make_reducer("prd").fit(clustered(60), partitions=partitions)


@pytest.mark.parametrize("method", [*IN_PARTS, "mms"])
@pytest.mark.parametrize("seed", range(6))
def test_quotas_first_images_and_limits_hold_in_parts(method: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mms` stands for a method of another package that never looks at images of full groups."""
    monkeypatch.setattr(reducer_class("mms"), "no_partitions", "")
    rng = np.random.default_rng(seed)
    n = int(rng.integers(40, 200))
    X, categories = clustered(n, seed), rng.choice(["a", "b", "c"], n, p=[0.7, 0.2, 0.1])
    groups = rng.integers(12, size=n)
    most = int(rng.integers(2, 9))
    allowed = int(np.minimum(np.bincount(groups), most).sum())
    keep = allowed if seed % 2 else int(rng.integers(3, allowed + 1))
    initial = rng.choice(np.unique(groups, return_index=True)[1], size=2, replace=False)
    given = {"initial": initial, "groups": groups, "max_per_group": most}
    parts = int(rng.integers(2, 9))
    for options in ({"initial": initial}, given):
        chosen = make_reducer(method, keep=keep).fit(X, categories, **options, partitions=parts)
        whole = make_reducer(method, keep=keep).fit(X, categories, **options)
        rows = chosen.selected_idx_
        assert len(rows) == keep == len(set(rows.tolist()))
        assert rows[:2].tolist() == initial.tolist()
        assert not np.isnan(chosen.scores_[rows]).any()
        if "groups" in options:
            assert np.bincount(groups[rows]).max() <= most
        else:
            assert chosen.seats_.tolist() == whole.seats_.tolist()


@pytest.mark.parametrize("method", IN_PARTS)
def test_one_part_is_the_whole_choice(method: str) -> None:
    X = clustered(120)
    whole, one = make_reducer(method).fit(X), make_reducer(method).fit(X, partitions=1)
    np.testing.assert_array_equal(whole.selected_idx_, one.selected_idx_)
    np.testing.assert_array_equal(whole.scores_, one.scores_)


def in_order(work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
    """Do the work one part after the other, and send it and its result through pickle as another process would."""
    for part in parts:
        function, argument = pickle.loads(pickle.dumps((work, part)))
        yield pickle.loads(pickle.dumps(function(argument)))


def at_once(work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
    with ThreadPoolExecutor(8) as executor:
        yield from executor.map(work, parts)


@pytest.mark.parametrize("method", IN_PARTS)
def test_the_place_of_the_work_and_the_order_of_rows_change_nothing(method: str) -> None:
    X, categories = clustered(400), np.arange(400) % 5 == 0
    first = make_reducer(method, keep=0.2).fit(X, categories, partitions=7)
    for mapper in (in_order, at_once):
        with parts_mapped_by(mapper):
            again = make_reducer(method, keep=0.2).fit(X, categories, partitions=7)
        assert again.selected_idx_.tobytes() == first.selected_idx_.tobytes()
        assert again.scores_.tobytes() == first.scores_.tobytes()
    if method == "prd":
        order = np.random.default_rng(1).permutation(400)
        moved = make_reducer(method, keep=0.2).fit(X[order], categories[order], partitions=7)
        assert set(order[moved.selected_idx_].tolist()) == set(first.selected_idx_.tolist())


@pytest.mark.parametrize("keep", [0.05, 0.2])
def test_parts_lose_less_than_two_percent_of_the_objective(keep: float) -> None:
    X = clustered(1500)
    graph = similarity_graph(CentredPoints.of(X), 10)
    coverage, objective = [], []
    for partitions in (None, 6):
        rows = make_reducer("facility", keep=keep).fit(X, partitions=partitions).selected_idx_
        coverage.append(graph[rows].max(axis=0).toarray().sum())
        objective.append(make_reducer("prd", keep=keep).fit(X, partitions=partitions).objectives_[0][-1])
    assert coverage[1] > 0.98 * coverage[0]
    assert objective[1] > 0.98 * objective[0]


def test_prd_reports_weights_and_objectives_of_all_images() -> None:
    """The parts must leave nothing behind in the fitted method."""
    X, categories = clustered(200), np.arange(200) % 3
    reducer = make_reducer("prd", keep=30).fit(X, categories, partitions=8)
    assert set(np.flatnonzero(reducer.weights_).tolist()) <= set(reducer.selected_idx_.tolist())
    assert {len(values) for values in reducer.objectives_.values()} == {10}


@pytest.mark.parametrize("count", [1, 5])
def test_neighbours_in_cells_are_the_nearest_of_the_near_cells(count: int) -> None:
    points = CentredPoints.of(clustered(300))
    cells = Cells.of(points, np.arange(300), 9, np.random.default_rng(0))
    assert sorted(np.concatenate(cells.rows).tolist()) == list(range(300))
    found, distances = neighbours_in_cells(points, count, cells, lambda _: None)
    exact, _ = nearest_neighbours(points, count, lambda _: None)
    agree = np.mean([len(set(a) & set(b)) / count for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
    assert agree > 0.9
    assert (found != np.arange(300)[:, None]).all() and (np.diff(distances, axis=1) >= 0).all()
    own = np.linalg.norm(points.Z - points.Z[found[:, 0]], axis=1) * points.scale
    np.testing.assert_allclose(distances[:, 0], own)


def test_equal_points_and_tiny_cells_still_have_neighbours() -> None:
    X = np.concatenate([np.zeros((50, 3)), np.eye(3)])
    reducer = make_reducer("facility", keep=8).fit(X, partitions=20)
    assert len(set(reducer.selected_idx_.tolist())) == 8
