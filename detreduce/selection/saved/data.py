"""The fields of a selection, as its file stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import ImageId


@dataclass(frozen=True, repr=False)
class SelectionData:
    """The fields of a selection. See the subclass `Selection` for what each field means."""

    image_ids: tuple[ImageId, ...]
    indices: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    method: str
    parameters: Mapping[str, Any]
    keep: float | int
    seed: int
    categories: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    representativeness: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    category_codes: npt.NDArray[np.int64] | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether a random method kept every image that remained. The order and the scores then have no meaning."""
        scored = np.flatnonzero(~np.isnan(self.scores))
        return self.method == "srs" and bool(np.isin(scored, self.indices).all())

    @property
    def images_remaining(self) -> int:
        """The number of images that remain for the choice.

        Excluded images, dropped duplicates, leaked images and unreadable images are not counted.
        """
        dropped = sum(int(step.get("dropped", 0)) for step in self.steps)
        excluded = sum(len(step["images"]) for step in self.steps if step["step"] == "exclude")
        return len(self.scores) - dropped - excluded - len(self.provenance.get("skipped_images", ()))

    @property
    def partitions(self) -> int | None:
        """The number of parts in which the method first chose. None if it did not choose in parts."""
        parts = self.steps[-1].get("partitions") if self.steps else None
        return int(parts) if parts and parts > 1 else None

    @property
    def used_features(self) -> bool:
        """Whether the method used features to choose."""
        return bool(self.provenance.get("features", {}).get("blocks"))

    @property
    def duplicates(self) -> Mapping[str, Any]:
        """The record of the search for duplicates.

        ``looked_for`` is what was searched for. ``pairs`` are the pairs that were found. ``kept_twice`` is the number
        of kept images that are duplicates of another kept image. For files of version 0.1, the mapping is empty.
        """
        found: Mapping[str, Any] = self.provenance.get("duplicates", {})
        return found
