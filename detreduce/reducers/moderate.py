"""Distances to the middle of a set of points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.reducers.pool import FloatArray

BLOCK = 4096
COLUMNS = 64


def distances_to_median(X: npt.NDArray[np.floating]) -> FloatArray:
    """Return (n,) Euclidean distances to the coordinate-wise median of X (n, d), the same bits in any order of rows."""
    largest = float(max(X.max(), -X.min()))
    # a power of two changes no digit, and squares neither overflow nor vanish
    scale = 2.0 ** np.ceil(np.log2(largest)) if largest > 0 else 1.0
    parts = [X[:, start : start + COLUMNS].astype(np.float64) / scale for start in range(0, X.shape[1], COLUMNS)]
    middle = np.concatenate([np.median(part, axis=0) for part in parts])
    distances = np.empty(len(X))
    for start in range(0, len(X), BLOCK):
        offsets = X[start : start + BLOCK].astype(np.float64) / scale - middle
        distances[start : start + BLOCK] = np.sqrt(np.einsum("ij,ij->i", offsets, offsets))
    return distances * scale
