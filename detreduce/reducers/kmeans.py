"""k-means for the reducers that summarise a category by centres."""

from __future__ import annotations

import warnings

import numpy as np

from detreduce.reducers.pool import FloatArray, IntArray

MAX_ITERATIONS = 50


def kmeans(Z: FloatArray, k: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Return (k, d) centres and the (n,) nearest centre of each point: k-means++ and at most 50 Lloyd iterations."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    model = KMeans(k, n_init=1, max_iter=MAX_ITERATIONS, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        # fewer distinct images than centres: the caller takes other images for the doubled centres
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = model.fit_predict(Z)
    return np.asarray(model.cluster_centers_, np.float64), labels.astype(np.int64)
