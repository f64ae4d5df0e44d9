"""Iterative stratification (Sechidis et al. 2011): assign clusters of images to splits, so that classes are spread
evenly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

IntArray = npt.NDArray[np.int64]

REST = 0
"""The part of images that are not held out."""


def assign_parts(
    clusters: IntArray,
    present: csr_array,
    sizes: Sequence[int],
    drawn: npt.NDArray[np.uint64],
    fixed: npt.NDArray[np.bool_],
) -> IntArray:
    """Return the part of each image as (n,): `REST`, or 1, 2, ... for the parts that are held out.

    A cluster is never divided. Clusters with the rarest class are assigned first. Each cluster goes to the part that
    needs the largest number of further images of this class. A part that is held out never gets more images than its
    size.

    Parameters
    ----------
    clusters
        (n,): the number of the cluster of each image, from 0.
    present
        (n, C): 1 if the image has a box of the class, else 0.
    sizes
        Wanted number of images in each part that is held out.
    drawn
        (n,): a random number for each image. These numbers determine the order of clusters of equal size.
    fixed
        (n,): True for images that must not be held out. The whole cluster of such an image stays in the rest.
    """
    count = int(clusters.max()) + 1
    member = csr_array(coo_array((np.ones(len(clusters), np.int64), (clusters, np.arange(len(clusters))))))
    table = csr_array(member @ present)
    images = np.bincount(clusters, minlength=count)
    first = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(first, clusters, drawn)
    state = _State.of(table, images, sizes, len(clusters))
    stays = np.bincount(clusters, fixed, minlength=count) > 0
    for cluster in np.flatnonzero(stays).tolist():
        state.put(cluster, REST)
    columns = csr_array(table.T)
    # large clusters first: a part without room cannot take them later
    order = np.lexsort((first, -images))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    while (kind := state.rarest()) is not None:
        having = columns.indices[columns.indptr[kind] : columns.indptr[kind + 1]]
        for cluster in having[np.argsort(rank[having])].tolist():
            if state.part[cluster] < 0:
                state.put(cluster, state.neediest(cluster, state.wanted[:, kind]))
    for cluster in order.tolist():
        if state.part[cluster] < 0:
            state.put(cluster, state.neediest(cluster, state.room))
    return state.part[clusters]


class _State:
    """A partial assignment of clusters to P parts, while `assign_parts` runs.

    `part` (U,) is the part of each cluster, or -1 if the cluster is not assigned yet. `room` (P,) is the number of
    images that still fit into each part. `wanted` (P, C) is the number of further images of each class that each part
    needs. `left` (C,) is the number of images of each class that are not assigned yet.
    """

    def __init__(self, table: csr_array, images: IntArray, room: npt.NDArray[np.float64], total: int) -> None:
        self.table, self.images, self.room = table, images, room
        self.part = np.full(len(images), -1, np.int64)
        self.left = np.asarray(table.sum(axis=0)).ravel().astype(np.int64)
        self.wanted = np.outer(room / total, self.left)

    @classmethod
    def of(cls, table: csr_array, images: IntArray, sizes: Sequence[int], total: int) -> _State:
        """Return the state before any cluster is assigned."""
        return cls(table, images, np.array([total - sum(sizes), *sizes], np.float64), total)

    def put(self, cluster: int, part: int) -> None:
        """Assign a cluster to a part."""
        row = slice(self.table.indptr[cluster], self.table.indptr[cluster + 1])
        kinds, counts = self.table.indices[row], self.table.data[row]
        self.part[cluster] = part
        self.room[part] -= self.images[cluster]
        self.wanted[part, kinds] -= counts
        self.left[kinds] -= counts

    def rarest(self) -> int | None:
        """Return the class with the fewest images that are not assigned, or None if all are assigned."""
        open_classes = np.flatnonzero(self.left)
        return int(open_classes[np.argmin(self.left[open_classes])]) if len(open_classes) else None

    def neediest(self, cluster: int, lacks: npt.NDArray[np.float64]) -> int:
        """Return the part with the largest value in `lacks`, among the parts that have room for the cluster."""
        fits = [part for part in range(len(self.room)) if part == REST or self.room[part] >= self.images[cluster]]
        return max(fits, key=lambda part: (lacks[part], self.room[part], -part))
