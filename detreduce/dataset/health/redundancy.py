"""The number of different images of a dataset, computed from the sizes of its clusters of near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Redundancy:
    """The number of different images of a dataset. A cluster is an image together with all its near-duplicates.

    Attributes
    ----------
    images
        Number of images.
    clusters
        Number of clusters. An image without near-duplicates is also a cluster.
    largest
        Number of images in the largest cluster.
    effective
        Effective number of images, n^2 / sum of squared cluster sizes (Kish 1965). Data with this number of equally
        large clusters would be as diverse as these clusters.
    """

    images: int
    clusters: int
    largest: int
    effective: float

    @property
    def unevenness(self) -> float:
        """Clusters per effective image.

        It is 1 if all clusters have the same size, and larger if a few clusters are large.
        """
        return self.clusters / self.effective if self.effective else 1.0

    def passes(self, epochs: float) -> float:
        """Return the number of images seen in `epochs` epochs, divided by the number of effective images."""
        return self.images * epochs / self.effective if self.effective else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON-able values."""
        return {
            "images": self.images,
            "clusters": self.clusters,
            "largest_cluster": self.largest,
            "effective_images": round(self.effective, 3),
            "unevenness": round(self.unevenness, 3),
        }


def measure_redundancy(sizes: npt.ArrayLike) -> Redundancy:
    """Return the `Redundancy` of a dataset whose clusters have these sizes.

    `sizes` (k,) are the numbers of images of the clusters. Without clusters, all numbers are 0.
    """
    counts = np.asarray(sizes, np.float64)
    if not len(counts):
        return Redundancy(0, 0, 0, 0.0)
    total = float(counts.sum())
    return Redundancy(int(total), len(counts), int(counts.max()), total**2 / float((counts**2).sum()))
