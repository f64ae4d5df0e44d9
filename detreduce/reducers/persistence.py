"""Persistent homology of each image's neighbourhood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from detreduce.arrays.distances import CentredPoints
from detreduce.reducers.parallel import in_threads, slices
from detreduce.reducers.pool import FloatArray, IntArray

BATCH = 64
ROUNDING = 1e-9
"""Distances that differ by less than this share of the radius are equal, and a bar shorter than it is none."""


def neighbourhood_persistence(
    points: CentredPoints, neighbours: list[IntArray], dims: list[int], advance: Callable[[int], object]
) -> FloatArray:
    """Return (n,) the largest finite persistence, in `dims`, of the Vietoris-Rips diagram of each set of neighbours.

    0 where there is no finite bar. Neighbourhoods are shared out among threads; GUDHI works outside Python's lock.
    """
    # H_k of fewer than 2k + 2 points has no bar
    busy = np.array([i for i, near in enumerate(neighbours) if len(near) >= 2 * min(dims) + 2], np.int64)
    largest = np.zeros(len(neighbours))
    batches = [busy[part] for part in slices(len(busy), BATCH)]

    def work(batch: IntArray) -> list[float]:
        return _largest_bars(points, batch, [neighbours[i] for i in batch], dims)

    for batch, bars in zip(batches, in_threads(work, batches), strict=True):
        largest[batch] = bars
        advance(len(batch))
    return largest


def _largest_bars(points: CentredPoints, rows: IntArray, neighbours: list[IntArray], dims: list[int]) -> list[float]:
    from gudhi.sklearn.rips_persistence import RipsPersistence

    matrices = [_distance_matrix(points, row, near) for row, near in zip(rows, neighbours, strict=True)]
    rips: Any = RipsPersistence(homology_dimensions=dims, input_type="full distance matrix")
    bars = []
    for diagrams, matrix in zip(rips.fit_transform(matrices), matrices, strict=True):
        lengths = np.concatenate([diagram[:, 1] - diagram[:, 0] for diagram in diagrams])
        longest = float(lengths[np.isfinite(lengths)].max(initial=0.0))
        bars.append(longest * points.scale if longest > ROUNDING * matrix.max() else 0.0)
    return bars


def _distance_matrix(points: CentredPoints, row: int, near: IntArray) -> FloatArray:
    # about the image itself, so that no digits are lost to its distance from the mean
    Z = points.Z[near] - points.Z[row]
    squares = np.einsum("ij,ij->i", Z, Z)
    squared = squares[:, None] + squares - 2.0 * (Z @ Z.T)
    distances = np.sqrt(squared.clip(0.0))
    np.fill_diagonal(distances, 0.0)
    return np.maximum(distances, distances.T)
