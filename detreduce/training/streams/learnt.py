"""In each epoch, leave out most of the images that the detector has learnt (AFSS).

Every image is still used again after a few epochs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from detreduce.training.streams.chosen_epochs import ChosenEpochs

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class SkipLearnt(BaseModel):
    """The rules by which an epoch leaves out images that the detector has learnt.

    The method is AFSS (CVPR 2026, arXiv 2603.17684), for trainings of 100 epochs and more. In a recipe, `true` means
    the default values. The score of an image is the smaller of precision and recall on this image. Images with a score
    below `moderate` are in every epoch. The epochs of the warm-up and the last epochs, which have no mosaic, contain
    all images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    easy: float = Field(default=0.85, ge=0, le=1)
    """Images with a larger score are easy."""
    moderate: float = Field(default=0.55, ge=0, le=1)
    """Images with a score from this value to `easy` are moderate."""
    easy_share: float = Field(default=0.02, ge=0, le=1)
    """Share of the easy images in an epoch."""
    moderate_share: float = Field(default=0.4, ge=0, le=1)
    """Share of the moderate images in an epoch."""
    easy_every: int = Field(default=10, ge=1)
    """Each easy image is used at least once in this number of consecutive epochs."""
    moderate_every: int = Field(default=3, ge=1)
    """Each moderate image is used at least once in this number of consecutive epochs."""
    refresh: int = Field(default=5, ge=1)
    """Number of epochs after which the scores are measured again."""

    @model_validator(mode="before")
    @classmethod
    def _switched_on(cls, value: Any) -> Any:
        return {} if value is True else value

    @model_validator(mode="after")
    def _in_order(self) -> SkipLearnt:
        if self.moderate > self.easy:
            raise ValueError(f"moderate is {self.moderate}, but it must not be above easy, which is {self.easy}.")
        return self


def choose_images(
    scores: FloatArray, waiting: IntArray, options: SkipLearnt, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return (n,) bool: whether each image is in the next epoch.

    Parameters
    ----------
    scores
        (n,) float64 in [0, 1]: the smaller of precision and recall on each image.
    waiting
        (n,) int64: the number of epochs since each image was last used. It is 1 if it was used in the previous epoch.
    options, random
        The rules, and the generator for random choices.
    """
    chosen = scores < options.moderate
    easy = scores > options.easy
    groups = (
        (easy, options.easy_share, options.easy_every),
        (~easy & ~chosen, options.moderate_share, options.moderate_every),
    )
    for group, share, every in groups:
        due = group & (waiting >= every)
        others = np.flatnonzero(group & ~due)
        more = max(0, round(share * int(group.sum())) - int(due.sum()))
        chosen = chosen | due
        chosen[random.choice(others, min(more, len(others)), replace=False)] = True
    return chosen


def whole_epochs(epochs: int, warmup: float, close_mosaic: float | None) -> set[int]:
    """Return the epochs that contain all images: the warm-up, and the last epochs, which have no mosaic.

    At least the first and the last epoch contain all images.
    """
    warm, last = max(1, math.ceil(warmup)), max(1, int(close_mosaic or 0))
    return {*range(min(warm, epochs)), *range(max(0, epochs - last), epochs)}


def first_to_skip(whole: set[int]) -> int:
    """Return the first epoch that may leave out images. `whole` are the epochs that contain all images."""
    return next((epoch for epoch in range(len(whole) + 1) if epoch not in whole), 0)


def is_refreshed(epoch: int, whole: set[int], options: SkipLearnt) -> bool:
    """Return whether the scores are measured again before this epoch."""
    return epoch not in whole and (epoch - first_to_skip(whole)) % options.refresh == 0


def count_refreshes(epochs: int, whole: set[int], options: SkipLearnt) -> int:
    """Return how often a training measures the scores of all images."""
    return sum(is_refreshed(epoch, whole, options) for epoch in range(epochs))


class SkippingStream(ChosenEpochs):
    """A batch sampler whose epochs leave out learnt images. Each epoch has a new random order and at least one batch.

    The images of an epoch depend only on the seed, the epoch and the scores.

    Parameters
    ----------
    images, batch, seed
        As for `ChosenEpochs`.
    whole
        The epochs that contain all images.
    options
        The rules for leaving out images.
    """

    def __init__(self, images: int, batch: int, whole: set[int], options: SkipLearnt, seed: int = 0) -> None:
        super().__init__(images, batch, seed)
        self.whole, self.options = whole, options
        self.scores = np.zeros(images)

    def is_chosen_again(self, epoch: int) -> bool:
        """Return whether the scores are measured again before this epoch."""
        return is_refreshed(epoch, self.whole, self.options)

    def refresh(self, scores: FloatArray) -> None:
        """Use new scores, from the running epoch on. The loader must be restarted afterwards."""
        self.scores = scores
        self.choose_again()

    def _draw(self, epoch: int) -> IntArray:
        random = np.random.default_rng([self.seed, epoch])
        if epoch in self.whole:
            return random.permutation(self.images)
        longest = max(self.options.easy_every, self.options.moderate_every)
        waiting = np.full(self.images, longest, np.int64)
        for back in range(min(longest, epoch), 0, -1):
            waiting[self._epochs[epoch - back]] = back
        chosen = choose_images(self.scores, waiting, self.options, random)
        others = np.flatnonzero(~chosen)
        # an epoch must not be empty, but with few images, the shares may be rounded to 0
        more = random.permutation(others)[: max(0, min(self.batch, self.images) - int(chosen.sum()))]
        return random.permutation(np.r_[np.flatnonzero(chosen), more])
