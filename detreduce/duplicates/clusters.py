"""Clusters of near-duplicates: images that are connected by pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

IntArray = npt.NDArray[np.int64]


def cluster_labels(pairs: npt.ArrayLike, images: int) -> IntArray:
    """Return the cluster of each image as (n,): numbers from 0, in the order of the clusters' first images.

    `pairs` is (p, 2): the rows of two images that are near-duplicates. Images that are connected by a chain of pairs
    are in one cluster. `images` is n.
    """
    ends = np.asarray(pairs, np.int64).reshape(-1, 2)
    graph: Any = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(images, images))
    _, labels = connected_components(graph, directed=False)
    _, first, places = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[places].astype(np.int64)
