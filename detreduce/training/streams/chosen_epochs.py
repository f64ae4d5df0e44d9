"""A batch sampler whose epochs contain only some of the images, chosen while the detector is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


class ChosenEpochs(ABC):
    """The epochs of a training in which each epoch has its own images. A subclass chooses the images of an epoch.

    Parameters
    ----------
    images
        Number of images in the dataset.
    batch
        Number of images per batch.
    seed
        Seed of the random choices.

    Attributes
    ----------
    epoch
        The epoch of the batches that the loader fetches next. The loader fetches batches in advance, so this may be a
        later epoch than `running`.
    running
        The current epoch of the training. The length of the sampler is the number of batches in this epoch.
    """

    def __init__(self, images: int, batch: int, seed: int = 0) -> None:
        self.images, self.batch, self.seed = images, batch, seed
        self.epoch = self.running = 0
        self._epochs: list[IntArray] = []

    @abstractmethod
    def _draw(self, epoch: int) -> IntArray:
        """Choose the images of an epoch, and return them in the order in which they are used."""

    @abstractmethod
    def is_chosen_again(self, epoch: int) -> bool:
        """Return whether the images of this epoch must be chosen again when the epoch begins."""

    def choose_again(self) -> None:
        """Choose the images from the running epoch on again, with what is known now.

        The loader must be restarted afterwards, because it has already fetched batches that were chosen before.
        """
        del self._epochs[self.running :]
        self.epoch = self.running

    def images_of(self, epoch: int) -> IntArray:
        """Return the images of an epoch, in the order in which they are used."""
        while len(self._epochs) <= epoch:
            self._epochs.append(self._draw(len(self._epochs)))
        return self._epochs[epoch]

    def __len__(self) -> int:
        return -(-len(self.images_of(self.running)) // self.batch)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the epoch `self.epoch`, and increase `self.epoch` by one."""
        images = self.images_of(self.epoch).tolist()
        self.epoch += 1
        for first in range(0, len(images), self.batch):
            yield images[first : first + self.batch]
