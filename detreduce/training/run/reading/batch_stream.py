"""Yield batches from an endless stream of images, with epochs of any length."""

from __future__ import annotations

from collections.abc import Iterator

from detreduce.training.streams.draw import Draws


class BatchStream:
    """A batch sampler with epochs of `per_epoch` images. Each epoch continues where the previous one ended.

    A training with this sampler has the same batches, optimiser steps, warm-up, learning rates and augmentation as a
    training on a dataset of `per_epoch` images.

    Parameters
    ----------
    draws
        The endless stream of images.
    per_epoch
        Number of images per epoch.
    batch
        Number of images per batch. The last batch of an epoch may be smaller.
    """

    def __init__(self, draws: Draws, per_epoch: int, batch: int) -> None:
        self.draws, self.per_epoch, self.batch = draws, per_epoch, min(batch, per_epoch)
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.per_epoch // self.batch)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the epoch `self.epoch`, and increase `self.epoch` by one."""
        start = self.epoch * self.per_epoch
        self.epoch += 1
        for first in range(start, start + self.per_epoch, self.batch):
            yield [self.draws.image(place) for place in range(first, min(first + self.batch, start + self.per_epoch))]
