"""Run batches of images through a backbone while further images are being read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.features.pixels.roi_pooling import PlacedBoxes, pool_boxes
from detreduce.images.batches import Group, computed_ahead
from detreduce.images.decode import RGB

if TYPE_CHECKING:
    from detreduce.features.backbones import Network


@dataclass(frozen=True)
class Embedded:
    """The vectors of a batch of images.

    Attributes
    ----------
    images
        (b, c) float32: the vector of each image.
    pairs
        (P, c) float32: the vector of each (image, class) pair. None if no boxes were pooled.
    """

    images: npt.NDArray[np.float32]
    pairs: npt.NDArray[np.float32] | None = None


def embed_groups(
    groups: Iterable[Group],
    network: Callable[[], Network],
    pool: Executor,
    in_flight: int,
    place_boxes: Callable[[Group], PlacedBoxes | None],
    batch: int,
) -> Iterator[tuple[Group, Embedded]]:
    """Yield each group of images with its vectors, in order. At most `in_flight` groups are computed at the same time.

    A group contains at most `batch` images, but every forward pass has exactly `batch` images (see `embed_batch`).
    """

    def built() -> Iterator[Group]:
        for group in groups:
            network()  # built by this thread, at the first group
            yield group

    def embed(group: Group) -> Embedded:
        return embed_batch(network(), [item.image for _, item in group], batch, place_boxes(group))

    yield from computed_ahead(built(), embed, pool, in_flight)


def embed_batch(network: Network, images: list[RGB], batch: int, boxes: PlacedBoxes | None = None) -> Embedded:
    """Compute the vectors of at most `batch` images of the same shape.

    The feature map of each image is averaged over the whole image. If boxes are given, it is also averaged inside each
    box. The network always gets `batch` images, because the size of a batch changes the last digits of the result. If
    there are fewer images, copies of the last image fill the batch.
    """
    import torch

    filled = images + images[-1:] * (batch - len(images))
    feature_map = network.feature_map(torch.from_numpy(np.stack(filled)))[: len(images)]
    pairs = None if boxes is None else pool_boxes(feature_map, boxes)
    return Embedded(network.pool(feature_map).cpu().numpy(), pairs)
