"""Read the training images without augmentation, to measure what a detector has learnt."""

from __future__ import annotations

from copy import copy
from typing import Any


def plain_loader(trainer: Any) -> Any:
    """Return ultralytics' validation loader for the training images of a trainer. It does not keep images in memory."""
    own = trainer.args
    # the training loader has already cached the images in memory
    trainer.args = copy(own)
    trainer.args.cache = False
    try:
        size = max(1, int(trainer.batch_size)) * 2
        return trainer.get_dataloader(trainer.data["train"], batch_size=size, rank=-1, mode="val")
    finally:
        trainer.args = own
