"""The neighbour search against all distances, and the search's rule for ties."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.engine.distances import neighbours
from detreduce.reducers.engine.distances.neighbours import nearest_neighbours


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 40),
    count=st.integers(1, 12),
    values=st.integers(1, 5),
    far=st.sampled_from([0.0, 1e6]),
    seed=st.integers(0, 2**20),
)
def test_the_nearest_come_first_and_ties_go_to_the_first_rows(
    n: int, count: int, values: int, far: float, seed: int
) -> None:
    # few values, so that many distances are equal
    X = np.random.default_rng(seed).integers(values, size=(n, 3)) + far
    with patch.object(neighbours, "ROWS", 7), patch.object(neighbours, "DIFFERENCES", 20):
        rows, distances = nearest_neighbours(CentredPoints.of(X), count, lambda _: None)
    apart = ((X[:, None] - X) ** 2).sum(axis=2).astype(float)
    np.fill_diagonal(apart, np.inf)
    expected = np.argsort(apart, axis=1, kind="stable")[:, : min(count, n - 1)]
    np.testing.assert_allclose(distances, np.sqrt(np.take_along_axis(apart, expected, axis=1)), rtol=1e-9)
    if not far:
        np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_change_nothing(threads: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((700, 90))
    X[20:60] = X[3]
    points = CentredPoints.of(X)
    expected = nearest_neighbours(points, 9, lambda _: None)
    with threadpool_limits(threads), patch("detreduce.machine.parallel.processors", lambda: threads):
        found = nearest_neighbours(points, 9, lambda _: None)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
