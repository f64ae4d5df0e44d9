"""Facility location: keep images so that every image is similar to one of the kept images."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.distances.neighbours import Cells, nearest_neighbours, neighbours_in_cells
from detreduce.reducers.engine.ordering import descending, gain_scores
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking
from detreduce.reducers.engine.search.greedy import GreedyTask, LazyGains, lazy_greedy

SAMPLED = 256
"""Number of images for each part that are used to find the centres of the parts."""


class FacilityLocation(BaseReducer):
    """Facility location: keep images so that every image is similar to at least one kept image.

    Let ``s_ij`` be the similarity of images i and j. In each step, the method adds the image that increases ``sum_i
    max_{j kept} s_ij`` most. The sum is over all images i of an image category. Each image i contributes one number:
    its similarity to the kept image that is most similar to it. The similarity is ``s_ij = exp(-d_ij^2 / (2 sigma^2))``
    if one of the two images is among the nearest neighbours of the other image (see `neighbours`). Otherwise the
    similarity is 0. ``d_ij`` is the distance between the two images. Each image has a distance to the last of its
    `neighbours` nearest neighbours. ``sigma`` is the median of these distances. Most similarities are 0, so memory
    grows only in proportion to the number of images.

    scores_ of a chosen image is the increase of the sum at the step in which the image was chosen. scores_ of a dropped
    image is the increase that the image would give after the last step.

    Parameters
    ----------
    neighbours
        Number of nearest neighbours of each image, at least 1. A good value is 1 / keep, for example 10 if a tenth of
        the images is kept.
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    name = "facility"
    family = "geometric"
    cost = "n_c^2 * d (neighbours) + k_c * neighbours * log n_c"
    source = (
        "facility location, Cornuejols et al. 1977 (doi 10.1287/mnsc.23.8.789); lazy greedy, Minoux 1978 "
        "(doi 10.1007/BFb0006528); cf. arXiv 1906.01827"
    )
    summary = "images that are similar to many images, first in dense regions and then everywhere"
    keeps = "typical, spread"
    fails = "Rare and unusual images come last, because few images are similar to them."
    deterministic = True
    nested = True
    no_partitions = ""
    _keeps_to_groups = True

    def __init__(self, *, keep: int | float = 0.25, neighbours: int = 10, random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.neighbours = neighbours

    def _check_params(self) -> None:
        whole = isinstance(self.neighbours, numbers.Integral) and not isinstance(self.neighbours, bool)
        if not whole or self.neighbours < 1:
            raise InputError(
                f"neighbours={self.neighbours!r} is not a number of neighbours. Use an integer of at least 1."
            )

    def _rank(self, pool: Pool) -> Ranking:
        return self._choose(pool, 1)

    def _rank_in_parts(self, problem: FitInput, pool: Pool, count: int) -> Ranking:
        """Rank a pool. Each image is compared only with the images of its part and of the parts near it.

        Here, parts are k-means clusters. They are better than random parts, in which an image would not meet its
        nearest neighbours. The greedy choice sees all images, because it is fast.
        """
        return self._choose(pool, count)

    def _choose(self, pool: Pool, parts: int) -> Ranking:
        points, neighbours = CentredPoints.of(pool.X), int(self.neighbours)
        with progress(f"facility {pool.label}: neighbours", len(pool), "images") as advance:
            if parts > 1:
                cells = Cells.of(points, pool.draw(SAMPLED * parts), parts, pool.rng("cells"))
                graph = graph_of_neighbours(*neighbours_in_cells(points, neighbours, cells, advance))
            else:
                graph = similarity_graph(points, neighbours, advance)
        with progress(f"facility {pool.label}", pool.wanted, "images") as advance:
            order, gains, remaining = facility_location(graph, GreedyTask.of(pool, advance))
        return Ranking(order, gain_scores(order, gains, remaining))


def similarity_graph(points: CentredPoints, count: int, advance: Callable[[int], object] = lambda _: None) -> Any:
    """Return the (n, n) similarities between images as a symmetric sparse (CSR) matrix with ones on the diagonal.

    The similarity of two images at distance d is exp(-d^2 / (2 sigma^2)) if one of the two images is among the `count`
    nearest neighbours of the other. Otherwise the similarity is 0. sigma is the median distance to the `count`-th
    neighbour, so the similarities do not depend on the units of the features.
    """
    return graph_of_neighbours(*nearest_neighbours(points, count, advance))


def graph_of_neighbours(neighbours: IntArray, distances: FloatArray) -> Any:
    """Return the similarities of `similarity_graph`, given the (n, count) nearest neighbours and their distances."""
    from scipy.sparse import csr_matrix, eye_array

    n = len(neighbours)
    width = float(np.median(distances[:, -1])) if distances.size else 0.0
    if width <= 0.0:
        width = float(distances[distances > 0.0].min(initial=np.inf))
    values = np.exp(-0.5 * np.square(distances / width))
    rows = np.repeat(np.arange(n), neighbours.shape[1])
    directed = csr_matrix((values.ravel(), (rows, neighbours.ravel())), shape=(n, n))
    return csr_matrix(directed.maximum(directed.T) + eye_array(n, format="csr"))


def facility_location(graph: Any, task: GreedyTask) -> tuple[IntArray, FloatArray, FloatArray]:
    """Add images one by one, each time the image that increases sum_i max_{j kept} similarity(i, j) most.

    If several images increase the sum equally, the image with the largest sum of similarities to all images is added.
    If these sums are equal too, `task.priority` decides.

    Parameters
    ----------
    graph
        (n, n) symmetric CSR matrix of similarities of at least 0.
    task
        The images to add.

    Returns
    -------
    order : (count,) int64
        The added images, in order.
    gains : (count,) float64
        The increase by each added image. These values never rise.
    remaining : (n,) float64
        The increase that each image would bring after the last choice.
    """
    starts, near, values = graph.indptr.tolist(), graph.indices, graph.data
    best_similarity = np.zeros(graph.shape[0])

    def choose(row: int) -> None:
        """Add an image to the subset."""
        neighbours = near[starts[row] : starts[row + 1]]
        best_similarity[neighbours] = np.maximum(best_similarity[neighbours], values[starts[row] : starts[row + 1]])

    def gain(row: int) -> float:
        """Return the gain of an image."""
        more = values[starts[row] : starts[row + 1]] - best_similarity[near[starts[row] : starts[row + 1]]]
        return float(more[more > 0.0].sum())

    def all_gains() -> FloatArray:
        """Return the gains of all images."""
        # every image is similar to itself, so every row of the graph has an entry
        return np.add.reduceat((values - best_similarity[near]).clip(0.0), graph.indptr[:-1])

    for row in task.chosen.tolist():
        choose(row)
    central, _ = descending(np.add.reduceat(values, graph.indptr[:-1]), task.priority.__getitem__)
    rank = np.empty(len(central), np.int64)
    rank[central] = np.arange(len(central))
    order, gains = lazy_greedy(LazyGains(all_gains(), gain, choose), replace(task, priority=rank))
    return order, gains, all_gains()
