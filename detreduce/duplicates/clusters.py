"""Clusters of near-duplicates: all images that are connected by pairs of near-duplicates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def cluster_labels(pairs: npt.ArrayLike, images: int) -> IntArray:
    """Return the number of the cluster that each image belongs to, (n,).

    Two images are in the same cluster if a chain of pairs connects them. Clusters are numbered from 0 in the order in
    which they first occur. For example, ``[0, 1, 0]`` means that the first and the third image form a cluster.

    Parameters
    ----------
    pairs
        (p, 2): the rows of the two images in each pair of near-duplicates.
    images
        The number of images, n.
    """
    # importing them takes 0.3 s, and a search for exact duplicates does not need them
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.asarray(pairs, np.int64).reshape(-1, 2)
    graph: Any = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(images, images))
    _, labels = connected_components(graph, directed=False)
    _, first, places = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[places].astype(np.int64)
