"""Compute the ultralytics arguments and the length of an epoch for a recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.training.progressive_size import ProgressiveSize
from detreduce.training.recipes.recipe import RESOLVED, SQRT, Recipe, images_of

EPOCHS, BATCH, IMGSZ, MOSAIC = 100, 16, 640, 1.0
"""Ultralytics' default values of the arguments epochs, batch, imgsz and mosaic."""
ITERATIONS, MOST_STEPS = 5, 10_000
"""Number of iterations of `_lengthened`, and largest number of steps that it distinguishes.

With more steps, the mean cost of an image no longer depends on their number.
"""


@dataclass(frozen=True)
class RecipeSettings:
    """The settings of one training with a recipe.

    Attributes
    ----------
    arguments
        All ultralytics arguments of the training.
    images_per_epoch
        Number of images in one epoch. None means that each image is used once per epoch.
    """

    arguments: dict[str, Any]
    images_per_epoch: int | None


def recipe_settings(recipe: Recipe, arguments: Mapping[str, Any], *, images: int, chosen: int) -> RecipeSettings:
    """Return the settings of a training with a recipe.

    The training sees `images_seen` images, and the learning rate decays until its end. Ultralytics counts in epochs.
    Therefore the number of epochs stays the same, and each epoch has ``images_seen / epochs`` images, rounded. If an
    epoch would be smaller than a batch, there are fewer epochs of about one batch. With `progressive`, an epoch has
    more images, so that the training has the same number of operations as a training at full size.

    Ultralytics needs numbers of epochs for `mosaic` and `warmup`, which are shares of the training. ``close_mosaic`` is
    the number of epochs without mosaic: the epochs minus ``mosaic * epochs``, rounded. ``warmup_epochs`` is
    ``warmup * epochs``, which need not be a whole number. Ultralytics rounds the warm-up to whole batches, and never
    warms up in the last epoch.

    Parameters
    ----------
    recipe
        The recipe.
    arguments
        The ultralytics arguments before the recipe changes them. If the recipe scales the learning rate, the optimiser
        must be resolved (see `resolve_optimiser`).
    images
        Number of images in the train split.
    chosen
        Number of images that the training uses.

    Raises
    ------
    InputError
        The batch is larger than the number of images or than `nbs`, `images_seen` is less than a batch, or an argument
        contradicts the recipe.
    """
    before = arguments.get("batch", BATCH)
    batch = recipe.batch or before
    _check_batch(recipe.batch, chosen)
    _check_nbs(recipe.nbs, batch)
    # if there are fewer images than a batch, ultralytics puts all of them into one batch
    epochs, per_epoch = _epochs(recipe, int(arguments.get("epochs") or EPOCHS), min(batch, chosen), images)
    found = {**arguments}
    if epochs != arguments.get("epochs", EPOCHS):
        found["epochs"] = epochs
    if recipe.batch is not None:
        found |= {"batch": recipe.batch, "nbs": recipe.batch}
    for name in ("nbs", "imgsz", "freeze"):
        if getattr(recipe, name) is not None:
            found[name] = getattr(recipe, name)
    if recipe.lr0 != RESOLVED:
        found["lr0"] = _scaled_rate(arguments, batch, before) if recipe.lr0 == SQRT else recipe.lr0
    if recipe.mosaic is not None:
        found |= _mosaic(recipe.mosaic, epochs, arguments)
    if recipe.warmup is not None:
        found["warmup_epochs"] = recipe.warmup * epochs
    plain = recipe.images_seen is None and recipe.stream.by == "uniform"
    if recipe.progressive is not None and recipe.skipping is None:
        full_size = per_epoch or chosen
        plain, per_epoch = False, _lengthened(recipe.progressive, full_size, min(batch, chosen), epochs, found)
    return RecipeSettings(found, None if plain else (per_epoch or chosen))


def _lengthened(sizes: ProgressiveSize, per_epoch: int, batch: Any, epochs: int, arguments: Mapping[str, Any]) -> int:
    """Return how many images of growing size have the same operations as `per_epoch` images of full size.

    The image sizes depend on the number of steps, and the number of steps depends on the result. Therefore the result
    is found by iteration.
    """
    full, found = _full_size(arguments), per_epoch
    for _ in range(ITERATIONS):
        steps = epochs * math.ceil(found / batch) if batch >= 1 else MOST_STEPS
        found = round(per_epoch / sizes.relative_cost(full, min(steps, MOST_STEPS)))
    return found


def _full_size(arguments: Mapping[str, Any]) -> int:
    """Return the image size of a training in pixels."""
    size = arguments.get("imgsz") or IMGSZ
    return int(max(size) if isinstance(size, (list, tuple)) else size)


def _check_batch(batch: int | None, chosen: int) -> None:
    """Raise InputError if the batch of a recipe is larger than the number of images in the training."""
    if batch is not None and batch > chosen:
        raise InputError(
            f"batch: {batch} images are more than the {counted(chosen, 'image')} to train on. Use a smaller batch."
        )


def _check_nbs(nbs: int | None, batch: Any) -> None:
    """Raise InputError if `nbs` is smaller than a batch, because ultralytics would then increase the weight decay."""
    if nbs is not None and nbs < batch:
        raise InputError(
            f"nbs: {counted(nbs, 'image per optimiser step is', 'images per optimiser step are')} fewer than "
            f"the {batch} images of a batch. Use a smaller batch, "
            "or a larger nbs."
        )


def _epochs(recipe: Recipe, epochs: int, batch: Any, images: int) -> tuple[int, int | None]:
    """Return the number of epochs and the number of images per epoch.

    The second number is None if the recipe does not set `images_seen`. Each image is then used once per epoch.
    """
    if recipe.images_seen is None:
        return epochs, None
    per_epoch = images_of(recipe.budget(epochs), images)
    total = recipe.images_seen if isinstance(recipe.images_seen, int) else epochs * per_epoch
    least = batch if batch >= 1 else 1
    if total < least:
        raise InputError(
            f"images_seen: {counted(total, 'image is', 'images are')} less than one batch of {batch}. Use more "
            "images, or a smaller batch."
        )
    if total < least * epochs:
        epochs = max(1, int(total // least))
        per_epoch = round(total / epochs)
    return epochs, per_epoch


def _scaled_rate(arguments: Mapping[str, Any], batch: Any, before: Any) -> float:
    """Return the learning rate times sqrt(batch / batch without the recipe)."""
    if before < 1 or batch < 1:
        raise InputError(f"lr0: {SQRT} needs a batch that is a number of images, but batch is {before!r}.")
    return float(arguments.get("lr0", 0.01)) * math.sqrt(batch / before)


def _mosaic(share: float, epochs: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ultralytics arguments for a training in which only this share of the epochs uses mosaic images."""
    with_mosaic = round(share * epochs)
    if not with_mosaic:
        return {"mosaic": 0.0, "close_mosaic": 0}
    if not arguments.get("mosaic", MOSAIC):
        raise InputError(f"mosaic: {share:g} of the epochs cannot use mosaic, because the argument mosaic is 0.")
    return {"close_mosaic": epochs - with_mosaic}
