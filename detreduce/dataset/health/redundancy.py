"""How many different images a dataset has, from the sizes of its clusters of near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Redundancy:
    """How many different images a dataset has. A cluster is an image together with all its near-duplicates.

    Attributes
    ----------
    images
        Number of images.
    clusters
        Number of clusters. An image without near-duplicates is a cluster of its own.
    largest
        Number of images in the largest cluster.
    effective
        Effective number of images, n^2 / sum of squared cluster sizes (Kish 1965). It is the number of equally large
        clusters among which a uniform draw of images is spread as evenly as among these clusters.
    """

    images: int
    clusters: int
    largest: int
    effective: float

    @property
    def unevenness(self) -> float:
        """Clusters for each effective image: 1 if all clusters have the same size, and more if a few are large."""
        return self.clusters / self.effective if self.effective else 1.0

    def passes(self, epochs: float) -> float:
        """Return how often a training of `epochs` epochs shows each effective image."""
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
    """Return the redundancy of clusters with these `sizes` (k,), in images. Without clusters, all numbers are 0."""
    counts = np.asarray(sizes, np.float64)
    if not len(counts):
        return Redundancy(0, 0, 0, 0.0)
    total = float(counts.sum())
    return Redundancy(int(total), len(counts), int(counts.max()), total**2 / float((counts**2).sum()))
