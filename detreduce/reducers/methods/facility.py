"""Facility location: every image has a similar one among those kept."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer, Ranking
from detreduce.reducers.engine.greedy import GreedyTask, LazyGains, lazy_greedy
from detreduce.reducers.engine.neighbours import nearest_neighbours
from detreduce.reducers.engine.ordering import descending, gain_scores
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool


class FacilityLocation(BaseReducer):
    """Facility location: always add the image that makes the others most similar to their nearest kept image.

    It maximises ``sum_i max_{j kept} s_ij`` within each category, greedily. ``s_ij = exp(-d_ij^2 / (2 sigma^2))`` if
    one of the two is among the nearest neighbours of the other, otherwise 0. sigma is the median distance to the last
    of these neighbours. The graph is sparse, so memory grows with n. scores_ is what an image added when it was chosen.
    For the other images it is what they would add after the last pick.

    Parameters
    ----------
    neighbours
        Neighbours of each image, at least 1. Try the number of images that one kept image represents: 10 for a tenth.
    keep, random_state
        See BaseReducer; the seed only breaks ties.
    """

    name = "facility"
    family = "geometric"
    cost = "n_c^2 * d (neighbours) + k_c * neighbours * log n_c"
    source = (
        "facility location, Cornuejols et al. 1977 (doi 10.1287/mnsc.23.8.789); lazy greedy, Minoux 1978 "
        "(doi 10.1007/BFb0006528); cf. arXiv 1906.01827"
    )
    summary = "images that are similar to many others not covered yet: dense regions first, then all"
    keeps = "typical, spread"
    fails = "Rare and odd images are similar to no other: they come only after all dense regions."
    deterministic = True
    nested = True
    _keeps_to_groups = True

    def __init__(self, *, keep: int | float = 0.25, neighbours: int = 10, random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.neighbours = neighbours

    def _check_params(self) -> None:
        whole = isinstance(self.neighbours, numbers.Integral) and not isinstance(self.neighbours, bool)
        if not whole or self.neighbours < 1:
            raise InputError(f"neighbours={self.neighbours!r} is not a count: give at least 1.")

    def _rank(self, pool: Pool) -> Ranking:
        with progress(f"facility {pool.label}: neighbours", len(pool), "images") as advance:
            graph = similarity_graph(CentredPoints.of(pool.X), int(self.neighbours), advance)
        with progress(f"facility {pool.label}", pool.wanted, "images") as advance:
            order, gains, remaining = facility_location(graph, GreedyTask.of(pool, advance))
        return Ranking(order, gain_scores(order, gains, remaining))


def similarity_graph(points: CentredPoints, count: int, advance: Callable[[int], object] = lambda _: None) -> Any:
    """Return the (n, n) similarities exp(-d^2 / (2 sigma^2)) of near images as a symmetric CSR matrix, 1 with itself.

    Two images are near if one is among the `count` nearest of the other. Others have similarity 0. sigma is the median
    distance to the last of these neighbours, so similarities do not depend on the units of the features.
    """
    from scipy.sparse import csr_matrix, eye_array

    n = len(points)
    neighbours, distances = nearest_neighbours(points, count, advance)
    width = float(np.median(distances[:, -1])) if distances.size else 0.0
    if width <= 0.0:
        width = float(distances[distances > 0.0].min(initial=np.inf))
    values = np.exp(-0.5 * np.square(distances / width))
    rows = np.repeat(np.arange(n), neighbours.shape[1])
    directed = csr_matrix((values.ravel(), (rows, neighbours.ravel())), shape=(n, n))
    return csr_matrix(directed.maximum(directed.T) + eye_array(n, format="csr"))


def facility_location(graph: Any, task: GreedyTask) -> tuple[IntArray, FloatArray, FloatArray]:
    """Add images one by one, each the one that adds most to sum_i max_{j kept} similarity(i, j).

    Parameters
    ----------
    graph
        (n, n) symmetric CSR matrix of similarities, at least 0.
    task
        Two images that only have each other always add the same. So in a tie the image that is more similar to all
        others comes first, and `priority` decides only then.

    Returns
    -------
    order : (count,) int64
    gains : (count,) float64
        What each image added; never rises.
    remaining : (n,) float64
        What every image would add after the last pick.
    """
    starts, near, values = graph.indptr.tolist(), graph.indices, graph.data
    served = np.zeros(graph.shape[0])

    def choose(row: int) -> None:
        neighbours = near[starts[row] : starts[row + 1]]
        served[neighbours] = np.maximum(served[neighbours], values[starts[row] : starts[row + 1]])

    def gain(row: int) -> float:
        more = values[starts[row] : starts[row + 1]] - served[near[starts[row] : starts[row + 1]]]
        return float(more[more > 0.0].sum())

    def all_gains() -> FloatArray:
        # every image is similar to itself, so no row of the graph is empty
        return np.add.reduceat((values - served[near]).clip(0.0), graph.indptr[:-1])

    for row in task.chosen.tolist():
        choose(row)
    central, _ = descending(np.add.reduceat(values, graph.indptr[:-1]), task.priority.__getitem__)
    rank = np.empty(len(central), np.int64)
    rank[central] = np.arange(len(central))
    order, gains = lazy_greedy(LazyGains(all_gains(), gain, choose), replace(task, priority=rank))
    return order, gains, all_gains()
