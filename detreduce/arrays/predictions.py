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
    runners_up
        (m,) float64: for each box, the confidence of its second most likely class. 0 if the detector has only one
        class. None if these confidences are not known.
    """

    corners: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]
    confidences: npt.NDArray[np.float64]
    runners_up: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.classes)


NO_BOXES = PredictedBoxes(np.empty((0, 4)), np.empty(0, np.int64), np.empty(0), np.empty(0))
"""The prediction for an image in which the detector found nothing."""


@dataclass(frozen=True)
class Predictions:
    """The predicted boxes of images, in the order of the images.

    Attributes
    ----------
    class_names
        The classes of the detector.
    images
        One entry for each image. None if the image could not be read, or if the detector did not see the image.
    model
        Name of the detector's file.
    provenance
        How the boxes were predicted, as values that JSON can store.
    mirrored
        The boxes that the detector finds in the mirrored images, in the coordinates of the original images. None if the
        detector did not see mirrored images.
    failures
        The reason why an image could not be read, keyed by the position of the image.
    """

    class_names: tuple[str, ...]
    images: Sequence[PredictedBoxes | None]
    model: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    mirrored: Sequence[PredictedBoxes | None] | None = None
    failures: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def unseen(self) -> set[int]:
        """The positions of the images that the detector did not see, although they can be read."""
        return {row for row, boxes in enumerate(self.images) if boxes is None and row not in self.failures}

    @property
    def counts(self) -> dict[str, int]:
        """The number of boxes, of images with boxes, and of all images that the detector saw."""
        seen = [len(boxes) for boxes in self.images if boxes is not None]
        return {"boxes": sum(seen), "with_boxes": sum(map(bool, seen)), "images": len(seen)}

    def in_words(self) -> str:
        """Return the counts as text, for example ``1,203 in 310 of 400 images``."""
        found = self.counts
        return f"{found['boxes']:,} in {found['with_boxes']:,} of {found['images']:,} images"
