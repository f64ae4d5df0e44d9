"""Facility location on a sparse graph of similar images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.groups import Openings
from detreduce.reducers.lazy import LazyGains, lazy_greedy
from detreduce.reducers.neighbours import nearest_neighbours
from detreduce.reducers.pool import FloatArray, IntArray, descending


def similarity_graph(points: CentredPoints, count: int, advance: Callable[[int], object] = lambda _: None) -> Any:
    """Return the (n, n) similarities exp(-d^2 / (2 sigma^2)) of near images as a symmetric CSR matrix, 1 with itself.

    Two images are near if one is among the other's `count` nearest; others are not similar at all. sigma is the median
    distance to the last of these neighbours, so the similarities do not depend on the units of the features.
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


def facility_location(
    graph: Any,
    chosen: IntArray,
    count: int,
    openings: Openings,
    priority: IntArray,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Extend `chosen` by `count` images, each the one that adds most to sum_i max_{j kept} similarity(i, j).

    Parameters
    ----------
    graph
        (n, n) symmetric CSR matrix of similarities, at least 0.
    chosen
        Rows chosen before.
    count
        Images to add.
    openings, priority
        Which may be chosen, and the order of ties. Two images that only have each other left always add the same: of a
        tie, the image that is more similar to all comes first, then `priority` decides.
    advance
        Called with the picks made.

    Returns
    -------
    order : (count,) int64
    found : (count,) float64
        What each added; never rises.
    left : (n,) float64
        What every image would add after all picks.
    """
    starts, near, values = graph.indptr.tolist(), graph.indices, graph.data
    served = np.zeros(graph.shape[0])

    def choose(row: int) -> None:
        some = near[starts[row] : starts[row + 1]]
        served[some] = np.maximum(served[some], values[starts[row] : starts[row + 1]])

    def gain(row: int) -> float:
        more = values[starts[row] : starts[row + 1]] - served[near[starts[row] : starts[row + 1]]]
        return float(more[more > 0.0].sum())

    def gains() -> FloatArray:
        # every image has itself, so no row of the graph is empty
        return np.add.reduceat((values - served[near]).clip(0.0), graph.indptr[:-1])

    for row in chosen.tolist():
        choose(row)
    central, _ = descending(np.add.reduceat(values, graph.indptr[:-1]), priority.__getitem__)
    rank = np.empty(len(central), np.int64)
    rank[central] = np.arange(len(central))
    order, found = lazy_greedy(LazyGains(gains(), gain, choose), count, openings, rank, advance)
    return order, found, gains()
