"""Moderate: images at the median distance from the middle of their category."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool

BLOCK = 4096
COLUMNS = 64


class Moderate(ScoringReducer):
    """Moderate coreset: the images whose distance to the middle of their category is nearest the median distance.

    The middle is the coordinate-wise median of the category. scores_ is minus the difference between the distance of an
    image to the middle and the median of these distances.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; the seed only breaks ties.
    """

    name = "moderate"
    family = "geometric"
    cost = "n * d"
    source = "Xia et al. 2023 (ICLR), moderate coreset; cf. arXiv 2403.12166"
    summary = "the images neither near the middle of their category nor far from it"
    keeps = "moderate"
    fails = "It does not avoid near-duplicates, and never chooses extremes."
    deterministic = True

    def _score(self, pool: Pool) -> FloatArray:
        distances = distances_to_median(pool.X)
        return -np.abs(distances - np.median(distances))


def distances_to_median(X: npt.NDArray[np.floating]) -> FloatArray:
    """Return (n,) Euclidean distances to the coordinate-wise median of X (n, d), the same bits in any order of rows."""
    largest = float(max(X.max(), -X.min()))
    # a power of two changes no digit; squares neither overflow nor vanish
    scale = 2.0 ** np.ceil(np.log2(largest)) if largest > 0 else 1.0
    parts = [X[:, start : start + COLUMNS].astype(np.float64) / scale for start in range(0, X.shape[1], COLUMNS)]
    middle = np.concatenate([np.median(part, axis=0) for part in parts])
    distances = np.empty(len(X))
    for start in range(0, len(X), BLOCK):
        offsets = X[start : start + BLOCK].astype(np.float64) / scale - middle
        distances[start : start + BLOCK] = np.sqrt(np.einsum("ij,ij->i", offsets, offsets))
    return distances * scale
