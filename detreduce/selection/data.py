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
    """The fields of a `Selection`. The class `Selection` documents each field."""

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
        """Whether a random method kept every remaining image, so that the order and the scores have no meaning."""
        scored = np.flatnonzero(~np.isnan(self.scores))
        return self.method == "srs" and bool(np.isin(scored, self.indices).all())

    @property
    def images_remaining(self) -> int:
        """Number of images that remain after excluded images, dropped duplicates, dropped leaks and unreadable images
        are left out.
        """
        dropped = sum(int(step.get("dropped", 0)) for step in self.steps)
        excluded = sum(len(step["images"]) for step in self.steps if step["step"] == "exclude")
        return len(self.scores) - dropped - excluded - len(self.provenance.get("skipped_images", ()))

    @property
    def used_features(self) -> bool:
        """Whether the method chose by features."""
        return bool(self.provenance.get("features", {}).get("blocks"))

    @property
    def duplicates(self) -> Mapping[str, Any]:
        """The search for duplicates: its kind (``looked_for``) and the ``pairs`` that it found.

        ``kept_twice`` is the number of kept images that are duplicates of another kept image. The mapping is empty for
        files of version 0.1.
        """
        found: Mapping[str, Any] = self.provenance.get("duplicates", {})
        return found
