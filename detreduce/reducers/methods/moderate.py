"""Moderate: keep images at a medium distance from the middle of their image category."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool

BLOCK = 4096
COLUMNS = 64


class Moderate(ScoringReducer):
    """Moderate coreset: keep images at a medium distance from the middle of their image category.

    The middle is the coordinate-wise median of the features of the category. The medium distance is the median of the
    distances of the images to the middle. Images come first if their distance is close to the medium distance. scores_
    is minus the absolute difference between the distance of an image and the medium distance.

    Parameters
    ----------
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    name = "moderate"
    family = "geometric"
    cost = "n * d"
    source = "Xia et al. 2023 (ICLR), moderate coreset; cf. arXiv 2403.12166"
    summary = "images at a medium distance from the middle of their category"
    keeps = "moderate"
    fails = "The method does not avoid near-duplicates, and it never chooses unusual images."
    deterministic = True

    def _score(self, pool: Pool) -> FloatArray:
        distances = distances_to_median(pool.X)
        return -np.abs(distances - np.median(distances))


def distances_to_median(X: npt.NDArray[np.floating]) -> FloatArray:
    """Return the (n,) Euclidean distances from the rows of X (n, d) to their coordinate-wise median.

    The result is exactly the same for any order of the rows.
    """
    largest = float(max(X.max(), -X.min()))
    # scaling by a power of two does not change any digits, and the squares neither overflow nor vanish
    scale = 2.0 ** np.ceil(np.log2(largest)) if largest > 0 else 1.0
    parts = [X[:, start : start + COLUMNS].astype(np.float64) / scale for start in range(0, X.shape[1], COLUMNS)]
    middle = np.concatenate([np.median(part, axis=0) for part in parts])
    distances = np.empty(len(X))
    for start in range(0, len(X), BLOCK):
        offsets = X[start : start + BLOCK].astype(np.float64) / scale - middle
        distances[start : start + BLOCK] = np.sqrt(np.einsum("ij,ij->i", offsets, offsets))
    return distances * scale
