"""Train on small images first, and on images of full size at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

STRIDE = 32
"""Image sizes are multiples of this number of pixels, which is the largest stride of a YOLO network."""


class ProgressiveSize(BaseModel):
    """Image sizes that grow during a training (EfficientTrain++, arXiv 2405.08768). In a recipe, `true` means the
    default values.

    The loader prepares images of full size as usual. Before a batch enters the network, its images are resized to the
    size for this step. The cost of a batch is proportional to the square of its image size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    start: float = Field(default=0.6, gt=0, le=1)
    """Size in the first step, as a share of the full size."""
    end: float = Field(default=0.6, ge=0, le=1)
    """Share of the steps after which images have full size."""

    @model_validator(mode="before")
    @classmethod
    def _switched_on(cls, value: Any) -> Any:
        return {} if value is True else value

    def size(self, share: float, full: int) -> int:
        """Return the image size in pixels after a `share` of the steps. It is a multiple of 32, but at most `full`."""
        growth = min(1.0, share / self.end) if self.end else 1.0
        wanted = full * (self.start + (1 - self.start) * growth)
        return min(full, max(STRIDE, round(wanted / STRIDE) * STRIDE))

    def relative_cost(self, full: int, steps: int = 10_000) -> float:
        """Return the mean number of operations for one image, divided by the number for an image of full size.

        `steps` is the number of steps of the training. A result of 0.8 means that the operations for 100 images of full
        size are enough for 100 / 0.8 = 125 images of growing size.
        """
        sizes = np.array([self.size(step / steps, full) for step in range(steps)], np.float64)
        return float(np.square(sizes / full).mean())


def resized(images: Any, size: int, full: int) -> Any:
    """Resize a batch of images (b, c, h, w) by the factor ``size / full``, and round both sides to multiples of 32."""
    from torch.nn.functional import interpolate

    shape = [max(STRIDE, round(side * size / full / STRIDE) * STRIDE) for side in images.shape[2:]]
    if shape == list(images.shape[2:]):
        return images
    return interpolate(images, size=shape, mode="bilinear", align_corners=False)
