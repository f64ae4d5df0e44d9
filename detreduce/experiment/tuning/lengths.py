"""How many images each recipe of a rung sees, so that all its trainings have the same number of operations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detreduce.experiment.statistics.claims import EQUAL_COST
from detreduce.training.recipes.recipe import Recipe

LEAST_BATCHES = 50
"""Batches of the shortest training. With fewer optimiser steps, a detector learns next to nothing."""
MOST_LENGTHS = 200
"""Largest number of lengths to choose from."""
NEARLY_EQUAL = 0.95 * EQUAL_COST
"""Operations of a recipe may differ by this share, because its images seen are rounded to whole epochs or batches."""


@dataclass(frozen=True)
class Training:
    """The training without a recipe that a tuning starts from.

    Attributes
    ----------
    images, epochs, batch
        Number of images, number of epochs, and images in a batch.
    """

    images: int
    epochs: int
    batch: int

    @property
    def full(self) -> int:
        """The images seen by the whole training."""
        return self.images * self.epochs


@dataclass(frozen=True)
class Costs:
    """Operations of one image, forward and backward, in units of 10^12.

    Attributes
    ----------
    reference
        For the training without a recipe.
    of
        For each recipe: label -> operations.
    """

    reference: float
    of: Mapping[str, float]


def images_seen(recipe: Recipe, length: int, training: Training, costs: Costs) -> int:
    """Return the images that a recipe sees for the operations of `length` images without a recipe.

    The number is rounded to what a training can see: whole epochs of equal length, or whole batches if an epoch would
    be smaller than a batch.
    """
    wanted = length * costs.reference / costs.of[recipe.label]
    # ultralytics makes a batch of all images if there are fewer
    batch = min(recipe.batch or training.batch, training.images)
    step = training.epochs if wanted >= batch * training.epochs else batch
    return max(step, round(wanted / step) * step)


def possible_lengths(recipes: Sequence[Recipe], training: Training, costs: Costs) -> list[int]:
    """Return the images seen without a recipe that rungs can have, increasing. The last is the whole training.

    The shortest has `LEAST_BATCHES` batches. Lengths at which the recipes differ in operations are left out, if there
    are others.
    """
    unit = math.lcm(training.epochs, training.batch)
    first = -(-LEAST_BATCHES * training.batch // unit)
    last = max(first - 1, (training.full - 1) // unit)
    counts: Sequence[int] = range(first, last + 1)
    # evenly spaced on a logarithmic scale
    if len(counts) > MOST_LENGTHS:
        ratio = last / first
        counts = sorted({round(first * ratio ** (place / MOST_LENGTHS)) for place in range(MOST_LENGTHS + 1)})
    found = [count * unit for count in counts]
    differ = [max(_differs(recipe, length, training, costs) for recipe in recipes) for length in found]
    equal = [length for length, share in zip(found, differ, strict=True) if share <= NEARLY_EQUAL]
    return [*(equal or found), training.full]


def _differs(recipe: Recipe, length: int, training: Training, costs: Costs) -> float:
    """Return by which share the operations of a recipe differ from those without a recipe."""
    own = images_seen(recipe, length, training, costs) * costs.of[recipe.label]
    return abs(own / (length * costs.reference) - 1)
