"""Find near-duplicates between the parts of a split. Each search may divide the split into other parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.duplicates.pixels.matching import PixelComparison, nearest_matches
from detreduce.duplicates.search import THRESHOLD, signatures_of

IntArray = npt.NDArray[np.int64]


class PartSearch:
    """A search for near-duplicates between parts of a dataset. The images are decoded only once for all searches."""

    def __init__(self, dataset: DetectionDataset, cache: str | Path | None = None) -> None:
        rows = np.arange(len(dataset), dtype=np.int64)
        signatures = signatures_of(dataset, rows, "pixels", cache, None)
        self.comparison = PixelComparison(signatures.pixels)
        self.comparison.comparable[list(signatures.failures)] = False

    def pairs(self, parts: IntArray) -> list[tuple[int, int]]:
        """Return the pairs of rows of similar images that are in different parts.

        `parts` (n,) is the number of the part of each image, from 0. Each image is compared with the images in all
        parts with a lower number. For each of these parts, only the most similar image is returned.
        """
        found = []
        for later in range(1, int(parts.max()) + 1):
            queries = np.flatnonzero(parts == later)
            for earlier in range(later):
                against = np.flatnonzero(parts == earlier)
                if len(against):
                    matches = nearest_matches(
                        self.comparison, queries, against, THRESHOLD, None, "Comparing the splits"
                    )
                    found += [(match.member, match.leader) for match in matches]
        return found
