"""What the network sees in a training: which images, how many of them in an epoch, and at what size."""

from __future__ import annotations

from dataclasses import dataclass

from detreduce.training.progressive_size import ProgressiveSize
from detreduce.training.streams.infobatch import InfoBatch
from detreduce.training.streams.learnt import SkipLearnt
from detreduce.training.streams.plan import StreamPlan


@dataclass(frozen=True)
class Feed:
    """What the network sees in a training. If all attributes are None, ultralytics' own loader is used unchanged.

    Attributes
    ----------
    images_per_epoch
        Number of images in one epoch. None means all images of the training.
    plan
        The stream, or None for a uniform stream.
    sizes
        Image sizes that grow during the training, or None.
    skip
        The rules by which an epoch leaves out images during the training, or None.
    """

    images_per_epoch: int | None = None
    plan: StreamPlan | None = None
    sizes: ProgressiveSize | None = None
    skip: SkipLearnt | InfoBatch | None = None

    @property
    def is_own_loader(self) -> bool:
        """Whether the batches come from ultralytics' own sampler."""
        return not (self.images_per_epoch or self.plan or self.skip)
