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
    def duplicates(self) -> Mapping[str, Any]:
        """The search for duplicates: its kind (``looked_for``) and the ``pairs`` that it found.

        ``kept_twice`` is the number of kept images that repeat another kept image. Empty in files of version 0.1.
        """
        found: Mapping[str, Any] = self.provenance.get("duplicates", {})
        return found
