"""Compute how many images a training with a recipe sees, so that all trainings of a rung have equal operations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detreduce.experiment.statistics.claims import EQUAL_COST
from detreduce.training.recipes.recipe import Recipe

LEAST_BATCHES = 50
"""Number of batches of the shortest training. With fewer optimiser steps, a detector learns almost nothing."""
MOST_LENGTHS = 200
"""Largest number of lengths to choose from."""
NEARLY_EQUAL = 0.95 * EQUAL_COST
"""Largest accepted difference in operations between recipes. It occurs because images seen are rounded to whole
epochs.
"""


@dataclass(frozen=True)
class Training:
    """The training that the user wants to tune, without a recipe.

    Attributes
    ----------
    images, epochs, batch
        Number of images, number of epochs, and number of images in a batch.
    """

    images: int
    epochs: int
    batch: int

    @property
    def full(self) -> int:
        """Number of images that the whole training sees."""
        return self.images * self.epochs


@dataclass(frozen=True)
class ImageCosts:
    """The operations of a training for one image, forward and backward, in units of 10^12.

    Attributes
    ----------
    reference
        The operations without a recipe.
    of
        Label of a recipe -> the operations with this recipe.
    """

    reference: float
    of: Mapping[str, float]


def images_seen(recipe: Recipe, length: int, training: Training, costs: ImageCosts) -> int:
    """Return how many images a training with a recipe sees at a length.

    The length is the number of images that a training without a recipe sees. Both trainings have the same number of
    operations, except for rounding. The result is rounded to whole epochs of equal length. If an epoch would be smaller
    than a batch, it is rounded to whole batches.
    """
    wanted = length * costs.reference / costs.of[recipe.label]
    # if there are fewer images than a batch, ultralytics puts all of them into one batch
    batch = min(recipe.batch or training.batch, training.images)
    step = training.epochs if wanted >= batch * training.epochs else batch
    return max(step, round(wanted / step) * step)


def possible_lengths(recipes: Sequence[Recipe], training: Training, costs: ImageCosts) -> list[int]:
    """Return the lengths that a rung can have, as numbers of images seen without a recipe, increasing.

    The shortest length has `LEAST_BATCHES` batches, and the last length is the whole training. At some lengths,
    rounding would make the operations of the recipes differ. These lengths are left out, unless no others remain.
    """
    unit = math.lcm(training.epochs, training.batch)
    first = -(-LEAST_BATCHES * training.batch // unit)
    last = max(first - 1, (training.full - 1) // unit)
    counts: Sequence[int] = range(first, last + 1)
    # choose lengths that are evenly spaced on a logarithmic scale
    if len(counts) > MOST_LENGTHS:
        ratio = last / first
        counts = sorted({round(first * ratio ** (place / MOST_LENGTHS)) for place in range(MOST_LENGTHS + 1)})
    found = [count * unit for count in counts]
    differ = [max(_differs(recipe, length, training, costs) for recipe in recipes) for length in found]
    equal = [length for length, share in zip(found, differ, strict=True) if share <= NEARLY_EQUAL]
    return [*(equal or found), training.full]


def _differs(recipe: Recipe, length: int, training: Training, costs: ImageCosts) -> float:
    """Return the relative difference between the operations with and without a recipe, which comes from rounding."""
    own = images_seen(recipe, length, training, costs) * costs.of[recipe.label]
    return abs(own / (length * costs.reference) - 1)
