"""How many different images a dataset contains, computed from the sizes of its clusters of near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Redundancy:
    """How many different images a dataset contains. A cluster is an image together with all its near-duplicates.

    Attributes
    ----------
    images
        The number of images.
    clusters
        The number of clusters. An image without near-duplicates is a cluster of its own.
    largest
        The number of images in the largest cluster.
    effective
        The effective number of images: n^2 / sum of squared cluster sizes (Kish 1965). The dataset is as diverse as one
        that consists of this number of equally large clusters.
    """

    images: int
    clusters: int
    largest: int
    effective: float

    @property
    def unevenness(self) -> float:
        """The number of clusters per effective image.

        It is 1 if all clusters have the same size, and grows if a few clusters are much larger than the others.
        """
        return self.clusters / self.effective if self.effective else 1.0

    def passes(self, epochs: float) -> float:
        """Return the number of images seen in `epochs` epochs, divided by the number of effective images."""
        return self.images * epochs / self.effective if self.effective else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as values that JSON can store."""
        return {
            "images": self.images,
            "clusters": self.clusters,
            "largest_cluster": self.largest,
            "effective_images": round(self.effective, 3),
            "unevenness": round(self.unevenness, 3),
        }


def measure_redundancy(sizes: npt.ArrayLike) -> Redundancy:
    """Compute the `Redundancy` of a dataset from the number of images in each of its clusters.

    `sizes` (k,) contains these numbers. If there are no clusters, all results are 0.
    """
    counts = np.asarray(sizes, np.float64)
    if not len(counts):
        return Redundancy(0, 0, 0, 0.0)
    total = float(counts.sum())
    return Redundancy(int(total), len(counts), int(counts.max()), total**2 / float((counts**2).sum()))
