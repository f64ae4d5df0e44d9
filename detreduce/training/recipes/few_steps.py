"""Say how few optimiser steps a short training takes if each step waits for several batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detreduce.training.recipes.settings import BATCH, EPOCHS

NBS = 64
"""Ultralytics' default value of the argument nbs: the number of images in an optimiser step."""
FEW = 500
"""With fewer optimiser steps than this, more steps are shown to help more than larger ones."""


def count_steps(batch: int, nbs: int, images_seen: int) -> tuple[int, int]:
    """Return how many images an optimiser step takes, and about how many steps a training takes.

    Ultralytics adds up the gradients of ``nbs / batch`` batches, rounded. The first steps of the warm-up take fewer.
    """
    size = batch * max(1, round(nbs / batch))
    return size, max(1, images_seen // size)


def describe_few_steps(arguments: Mapping[str, Any], images_seen: int) -> str:
    """Return a sentence about a training with few steps, each of several batches. Otherwise, return an empty text.

    `arguments` are the ultralytics arguments of the training. If the batch is automatic, the text is empty too.
    """
    batch, nbs = arguments.get("batch") or BATCH, arguments.get("nbs") or NBS
    if batch < 1:
        return ""
    size, steps = count_steps(int(batch), int(nbs), images_seen)
    if size <= batch or steps >= FEW:
        return ""
    count = f"{steps} step{'' if steps == 1 else 's'}"
    return (
        f"An optimiser step takes {size} images (nbs={int(nbs)}), so the training has about {count}. For small data, "
        f"use nbs={int(batch)}: one step for each batch."
    )


def seen_by(arguments: Mapping[str, Any], per_epoch: int) -> int:
    """Return the number of images that a training sees with `per_epoch` images in each epoch."""
    return int(arguments.get("epochs") or EPOCHS) * per_epoch
