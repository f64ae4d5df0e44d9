"""Reducers that look at how central an image is, and at the images near it."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer, Ranking, ScoringReducer
from detreduce.reducers.facility import facility_location, similarity_graph
from detreduce.reducers.groups import Openings
from detreduce.reducers.moderate import distances_to_median
from detreduce.reducers.pool import FloatArray, Pool


class FacilityLocation(BaseReducer):
    """Facility location: always the image that makes the others most similar to their nearest kept one.

    It maximises ``sum_i max_{j kept} s_ij`` within each category, greedily. ``s_ij = exp(-d_ij^2 / (2 sigma^2))`` where
    one of the two is among the other's nearest neighbours, otherwise 0; sigma is the median distance to the last of
    these neighbours. Of a sparse graph only, so that memory grows with n. scores_ is what an image added when it was
    chosen; for the others what they would add to all that are chosen.

    Parameters
    ----------
    neighbours
        Neighbours of each image, at least 1; about as many as a kept image is to stand for, so 10 for a tenth.
    keep, random_state
        See BaseReducer; the seed decides ties alone.
    """

    name = "facility"
    family = "geometric"
    cost = "n_c^2 * d (neighbours) + k_c * neighbours * log n_c"
    source = (
        "facility location, Cornuejols et al. 1977 (doi 10.1287/mnsc.23.8.789); lazy greedy, Minoux 1978 "
        "(doi 10.1007/BFb0006528); cf. arXiv 1906.01827"
    )
    summary = "the images that stand for most others not yet stood for: dense regions first, then all"
    keeps = "typical, spread"
    fails = "Rare and odd images stand for none but themselves: they come once all dense parts are served."
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
            order, found, left = facility_location(
                graph, pool.initial, pool.wanted, Openings(pool), pool.priority, advance
            )
        scores = np.minimum(left, found.min(initial=np.inf))
        scores[order] = np.minimum.accumulate(found)
        return Ranking(order, scores)


class Moderate(ScoringReducer):
    """Moderate coreset: the images whose distance to the middle of their category is nearest the median distance.

    The middle is the coordinate-wise median of the category. scores_ is minus the difference between the distance of an
    image to it and the median of these distances.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; the seed decides ties alone.
    """

    name = "moderate"
    family = "geometric"
    cost = "n * d"
    source = "Xia et al. 2023 (ICLR), moderate coreset; cf. arXiv 2403.12166"
    summary = "the images neither near the middle of their category nor far from it"
    keeps = "moderate"
    fails = "Nothing keeps the chosen apart, so near-duplicates come together and extremes never come."
    deterministic = True

    def _score(self, pool: Pool) -> FloatArray:
        distances = distances_to_median(pool.X)
        return -np.abs(distances - np.median(distances))
