"""Draw the partners for mosaic and mix-up images from the stream."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any


class RecentImages:
    """The last images of the stream, which are the possible partners of an image in a mosaic.

    Ultralytics takes partners from a buffer that contains each recently decoded image once. Frequent images of a stream
    would therefore be too rare among the partners. This object instead remembers an image as often as it was drawn, so
    that the partners follow the weights of the stream. Most partners are still in memory.

    Each worker of the loader has its own copy, which remembers the batches of this worker. The partners depend only on
    the seed and on the number of workers.

    Parameters
    ----------
    dataset
        Ultralytics' dataset of the training.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.recent: deque[int] = deque(maxlen=max(1, dataset.max_buffer_length))

    def __call__(self, batch: Sequence[int]) -> list[Any]:
        """Return the augmented images of a batch. Torch's loader calls this as ``dataset.__getitems__``."""
        self.remember(batch)
        return [self.dataset[image] for image in batch]

    def remember(self, batch: Sequence[int]) -> None:
        """Remember the images of a batch as the last ones of the stream."""
        self.recent.extend(batch)

    def draw(self, count: int) -> list[int]:
        """Draw `count` of the last images of the stream, using Python's `random`, which ultralytics seeds."""
        return random.choices(self.recent, k=count)


class Partners:
    """Draws the images that an ultralytics transform mixes with the current image.

    An object of this class replaces the method ``get_indexes`` of the transform.
    """

    def __init__(self, images: RecentImages, count: int | None) -> None:
        self.images, self.count = images, count

    def __call__(self) -> list[int] | int:
        """Return one image, or a list of `count` images if `count` is not None."""
        return self.images.draw(1)[0] if self.count is None else self.images.draw(self.count)


def draw_partners_from_stream(dataset: Any) -> None:
    """Let all mixing transforms of an ultralytics dataset draw their partners from the stream.

    Only this dataset is changed. Call this before the loader starts its workers.
    """
    from ultralytics.data.augment import Mosaic

    images = RecentImages(dataset)
    dataset.__getitems__ = images
    for transform in _mixing(dataset.transforms):
        transform.get_indexes = Partners(images, transform.n - 1 if isinstance(transform, Mosaic) else None)


def _mixing(transform: Any) -> Iterator[Any]:
    """Yield all transforms inside `transform` that mix several images."""
    from ultralytics.data.augment import BaseMixTransform, Compose

    if isinstance(transform, Compose):
        for part in transform.transforms:
            yield from _mixing(part)
    elif isinstance(transform, BaseMixTransform):
        yield transform
        if transform.pre_transform is not None:
            yield from _mixing(transform.pre_transform)
