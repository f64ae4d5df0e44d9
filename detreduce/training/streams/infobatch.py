"""In each epoch, leave out half of the images with a small loss, and weigh the other half twice (InfoBatch)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from detreduce.training.streams.chosen_epochs import ChosenEpochs

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class InfoBatch(BaseModel):
    """The rules by which an epoch leaves out images with a small loss.

    The method is InfoBatch (ICLR 2024, arXiv 2303.04947). In a recipe, `true` means the default values. The loss of an
    image is that of its last use. The first epoch uses all images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    drop: float = Field(default=0.5, ge=0, lt=1)
    """Share of the images below the mean loss that an epoch leaves out. The others have the weight 1 / (1 - drop)."""
    end: float = Field(default=0.875, ge=0, le=1)
    """Share of the epochs after which each epoch uses all images."""

    @model_validator(mode="before")
    @classmethod
    def _switched_on(cls, value: Any) -> Any:
        return {} if value is True else value


def drop_images(losses: FloatArray, drop: float, random: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Return the images that an epoch uses, and the weight of each image in the loss.

    The number of images that are left out is rounded down. The weights make up for them: the weights of the images
    below the mean sum to the number of these images.

    Parameters
    ----------
    losses
        (n,) float64: the last known loss of each image.
    drop
        Share of the images below the mean loss that are left out.
    random
        The generator for the choice.

    Returns
    -------
    kept : (k,) int64
        The rows of the images that are used, in rising order.
    weights : (n,) float64
        The weight of each image: 0 if it is left out, above 1 if it is used and below the mean, and otherwise 1.
    """
    weights = np.ones(len(losses))
    # a comparison with NaN, the loss of a training that diverged, is false, so no image is left out
    low = np.flatnonzero(losses < losses.mean())
    left_out = random.choice(low, int(drop * len(low)), replace=False)
    if len(left_out):
        weights[low] = len(low) / (len(low) - len(left_out))
        weights[left_out] = 0.0
    return np.flatnonzero(weights), weights


class InfoBatchEpochs(ChosenEpochs):
    """A batch sampler whose epochs leave out images with a small loss. Each epoch has a new random order.

    The images of an epoch depend only on the seed, the epoch and the losses.

    Parameters
    ----------
    images, batch, seed
        As for `ChosenEpochs`.
    epochs
        Number of epochs of the training.
    options
        The rules for leaving out images.

    Attributes
    ----------
    losses
        (n,) float64: the last known loss of each image.
    """

    def __init__(self, images: int, batch: int, epochs: int, options: InfoBatch, seed: int = 0) -> None:
        super().__init__(images, batch, seed)
        self.options = options
        self.losses = np.zeros(images)
        self._last = int(options.end * epochs)
        self._weights: dict[int, FloatArray] = {}

    def is_chosen_again(self, epoch: int) -> bool:
        """Return whether this epoch may leave out images: all but the first and the last epochs."""
        return 0 < epoch < self._last

    def record(self, images: Iterable[int], losses: Iterable[float]) -> None:
        """Remember the losses of the images of a batch."""
        self.losses[list(images)] = list(losses)

    def weights(self) -> FloatArray:
        """Return the (n,) weights of the images in the loss, in the running epoch."""
        return self._weights.get(self.running, np.ones(self.images))

    def _draw(self, epoch: int) -> IntArray:
        random = np.random.default_rng([self.seed, epoch])
        # the weights of earlier epochs would take 8 bytes for each image and epoch
        self._weights = {one: own for one, own in self._weights.items() if self.running <= one < epoch}
        if not self.is_chosen_again(epoch):
            return random.permutation(self.images)
        kept, self._weights[epoch] = drop_images(self.losses, self.options.drop, random)
        return random.permutation(kept)
