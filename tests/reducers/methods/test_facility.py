from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.arrays.distances import CentredPoints
from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.engine.distances.neighbours import nearest_neighbours
from detreduce.reducers.engine.pool import Pool
from detreduce.reducers.engine.search.greedy import GreedyTask
from detreduce.reducers.methods.facility import facility_location, similarity_graph


def greedy(graph: np.ndarray, k: int, chosen: list[int] | None = None, seed: int = 0):  # type: ignore[no-untyped-def]
    from scipy.sparse import csr_matrix

    initial = np.array(chosen or [], np.int64)
    pool = Pool(np.arange(len(graph), dtype=float)[:, None], np.arange(len(graph)), 0, 0, k, initial, seed)
    return facility_location(csr_matrix(graph), GreedyTask.of(pool, lambda _: None))


BY_HAND = np.array(
    [
        [1.0, 0.5, 0.0, 0.0, 0.0],
        [0.5, 1.0, 0.75, 0.0, 0.0],
        [0.0, 0.75, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.125],
        [0.0, 0.0, 0.0, 0.125, 1.0],
    ]
)


def test_by_hand() -> None:
    # Image 1 covers 0.5 + 1 + 0.75. Then images 3 and 4 cover 1.125 each, and the second of the two then adds 0.875.
    # Then image 0 adds 0.5 and image 2 adds 0.25.
    order, found, left = greedy(BY_HAND, 5)
    assert order[0] == 1 and set(order[1:3]) == {3, 4} and order[3:].tolist() == [0, 2]
    np.testing.assert_allclose(found, [2.25, 1.125, 0.875, 0.5, 0.25], rtol=1e-9)
    assert left.tolist() == [0] * 5
    order, found, left = greedy(BY_HAND, 3, chosen=[2])
    # Image 2 covers itself and 0.75 of image 1. Images 3 or 4 come first. Then image 0 adds 1; image 1 would have added
    # 0.5 + 0.25.
    assert set(order.tolist()) < {0, 3, 4} and found.tolist() == [1.125, 1.0]
    assert left[[0, 1, 2]].tolist() == [0, 0.25, 0]


def value(graph: np.ndarray, rows: list[int]) -> float:
    return float(graph[rows].max(axis=0).sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25))
def test_every_pick_is_the_best_there_is(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)).round(1)
    graph = similarity_graph(CentredPoints.of(X), int(rng.integers(1, 8))).toarray()
    order, found, _ = greedy(graph, n, seed=seed)
    for k in range(n):
        before = value(graph, order[:k].tolist()) if k else 0.0
        gains = [value(graph, [*order[:k].tolist(), row]) - before for row in set(range(n)) - set(order[:k].tolist())]
        assert found[k] == pytest.approx(max(gains), abs=1e-9)


def test_against_submodlib() -> None:
    submodlib = pytest.importorskip("submodlib")
    X = np.random.default_rng(0).normal(size=(120, 3))
    graph = similarity_graph(CentredPoints.of(X), 10).toarray()
    oracle = submodlib.FacilityLocationFunction(n=120, mode="dense", sijs=graph, separate_rep=False)
    pairs = oracle.maximize(
        budget=40, optimizer="NaiveGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False
    )
    order, found, _ = greedy(graph, 40)
    # in single precision there
    np.testing.assert_allclose(found, [gain for _, gain in pairs], rtol=1e-4)
    assert order.tolist()[:20] == [row for row, _ in pairs][:20]


def test_graph_is_symmetric_and_knows_no_units() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    graph = similarity_graph(CentredPoints.of(X), 4)
    dense = graph.toarray()
    np.testing.assert_array_equal(dense, dense.T)
    assert (dense.diagonal() == 1).all() and ((dense > 0).sum(axis=1) >= 5).all() and graph.nnz <= 40 * 9
    np.testing.assert_allclose(similarity_graph(CentredPoints.of(1e6 * X), 4).toarray(), dense, rtol=1e-9)
    # the median distance to the 4th neighbour has similarity exp(-1/2)
    _, distances = nearest_neighbours(CentredPoints.of(X), 4, lambda _: None)
    last = np.exp(-0.5 * (distances[:, -1] / np.median(distances[:, -1])) ** 2)
    assert np.isin(last.round(9), dense.round(9)).all()


def test_the_middle_of_each_heap_comes_before_its_edge() -> None:
    heaps = np.array([[0.0], [1.0], [2.0], [100.0], [101.0], [102.0], [103.0], [104.0]])
    order = make_reducer("facility", keep=2, neighbours=3).fit(heaps).selected_idx_.tolist()
    assert order == [5, 1]


def test_seats_go_to_categories() -> None:
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = np.repeat([0, 1], [20, 10])
    reducer = make_reducer("facility", keep=9).fit(X, y)
    alone = make_reducer("facility", keep=6).fit(X[:20])
    chosen = reducer.selected_idx_
    assert chosen[y[chosen] == 0].tolist() == alone.selected_idx_.tolist()


def test_many_equal_images() -> None:
    X = np.repeat(np.random.default_rng(0).normal(size=(4, 3)), 50, axis=0)
    order = make_reducer("facility", keep=100, neighbours=5).fit(X).selected_idx_
    assert len(set(order.tolist())) == 100
    assert sorted((order // 50)[:4].tolist()) != [0, 0, 0, 0]


@pytest.mark.parametrize("neighbours", [0, 2.5, True, "3"])
def test_refusals(neighbours: object) -> None:
    with pytest.raises(InputError, match="neighbours="):
        make_reducer("facility", neighbours=neighbours).check_params()
