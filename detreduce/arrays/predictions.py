"""The boxes that a detector predicts for a list of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class PredictedBoxes:
    """The predicted boxes of one image, most confident first.

    Attributes
    ----------
    corners
        (m, 4) float64: x1, y1, x2, y2 as fractions of the image.
    classes
        (m,) int64: class numbers of the detector.
    confidences
        (m,) float64: from 0 to 1.
    """

    corners: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]
    confidences: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Predictions:
    """The predicted boxes of images, in the order of the images.

    Attributes
    ----------
    class_names
        The classes of the detector.
    images
        One entry for each image. None if the image could not be read.
    model
        Name of the detector's file.
    provenance
        How the boxes were predicted, as values that JSON can store.
    """

    class_names: tuple[str, ...]
    images: Sequence[PredictedBoxes | None]
    model: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)
