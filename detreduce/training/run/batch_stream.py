"""Yield batches from an endless, shuffled stream of images, with epochs of any length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class BatchStream:
    """A batch sampler with epochs of `per_epoch` images. Each epoch continues where the previous epoch ended.

    The stream repeats all images endlessly, each pass in a new random order. Batches, optimiser steps, warm-up,
    learning rates and augmentation are the same as in a training on `per_epoch` images.

    Parameters
    ----------
    images
        Number of images of the dataset.
    per_epoch
        Number of images per epoch.
    batch
        Number of images per batch. The last batch of an epoch may be smaller.
    seed
        Seed of the random orders. Each order depends only on the seed and on the number of the pass.
    """

    def __init__(self, images: int, per_epoch: int, batch: int, seed: int = 0) -> None:
        self.images, self.per_epoch, self.batch, self.seed = images, per_epoch, min(batch, per_epoch), seed
        self.epoch = 0
        self._pass = -1
        self._order = np.empty(0, np.int64)

    def __len__(self) -> int:
        return -(-self.per_epoch // self.batch)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the epoch `self.epoch`, and increase `self.epoch` by one."""
        start = self.epoch * self.per_epoch
        self.epoch += 1
        for first in range(start, start + self.per_epoch, self.batch):
            yield [self._image(place) for place in range(first, min(first + self.batch, start + self.per_epoch))]

    def _image(self, place: int) -> int:
        """Return the image at a position of the endless stream."""
        number, rest = divmod(place, self.images)
        if number != self._pass:
            self._pass = number
            self._order = np.random.default_rng([self.seed, number]).permutation(self.images)
        return int(self._order[rest])
