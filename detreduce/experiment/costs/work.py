"""The work of a training, measured as the number of full-size images that it trains on.

For most trainings, the work is the number of images seen. If the image size grows during a training (progressive size),
each image costs less, but the training sees more images. A training with ``skip_learnt`` or ``infobatch`` trains on
fewer images. With ``skip_learnt``, it also runs the network on all images without training on them. The work only
counts the operations of the network. The loader decodes and augments at full size, so a progressive training takes a
little longer than its work suggests.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from detreduce.experiment.cells import Cell
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.training.recipes.recipe import Recipe, images_of
from detreduce.training.recipes.settings import EPOCHS, recipe_settings
from detreduce.training.streams.learnt import count_refreshes, whole_epochs

FORWARD = 1 / 3
"""Share of the forward pass in the operations of a training step, if no layer is frozen."""
WARMUP_EPOCHS, CLOSE_MOSAIC = 3.0, 10
"""Defaults of the ultralytics arguments warmup_epochs and close_mosaic."""


def finished_work(cell: FinishedCell) -> float:
    """Return the work of a finished cell."""
    training, recipe = cell.training, _recipe(cell.cell)
    seen = float(training.counts.images_seen)
    if recipe is not None and recipe.progressive is not None:
        full = max(training.imgsz) if isinstance(training.imgsz, list) else training.imgsz
        seen *= recipe.progressive.relative_cost(int(full), max(1, training.counts.batches))
    return seen + training.counts.images_scored * _forward(cell)


@dataclass(frozen=True)
class PlannedWork:
    """The expected work of cells that are not finished.

    Attributes
    ----------
    images
        Number of images in the train split.
    arguments
        The ultralytics arguments of the experiment.
    shares
        Rules by which epochs leave out images, as JSON text -> share of the images that are not left out. It is the
        mean over the finished cells with these rules.
    forward
        The share of the forward pass in the operations of a training step. It is the mean over the finished cells.
    """

    images: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    forward: float = FORWARD

    @classmethod
    def of(cls, finished: Iterable[FinishedCell], arguments: Mapping[str, Any], images: int) -> PlannedWork:
        """Create an instance whose `shares` and `forward` are means over finished cells."""
        shares: dict[str, list[float]] = {}
        forward = []
        for cell in finished:
            forward.append(_forward(cell))
            recipe, counts = _recipe(cell.cell), cell.training.counts
            whole = counts.epochs * cell.training.data.train_images
            if recipe is not None and recipe.skipping is not None and whole:
                shares.setdefault(_rules(recipe), []).append(counts.images_seen / whole)
        return cls(
            images,
            arguments,
            {rules: math.fsum(known) / len(known) for rules, known in shares.items()},
            math.fsum(forward) / len(forward) if forward else FORWARD,
        )

    @property
    def epochs(self) -> int:
        """Number of epochs of each cell."""
        return int(self.arguments.get("epochs") or EPOCHS)

    def of_cell(self, cell: Cell) -> float:
        """Return the expected work of a cell.

        If no finished cell left out images by the same rules as this cell, assume that this cell leaves out none.
        """
        chosen = images_of(cell.keep, self.images)
        seen, recipe = float(self.epochs * chosen), cell.parsed_recipe
        if recipe is None or recipe.skipping is None:
            # a progressive training does the same number of operations as a training at full size, on more but smaller
            # images
            return seen
        used = seen * self.shares.get(_rules(recipe), 1.0)
        if recipe.skip_learnt is None:
            return used
        arguments = recipe_settings(recipe, self.arguments, images=self.images, chosen=chosen).arguments
        warmup, close = arguments.get("warmup_epochs", WARMUP_EPOCHS), arguments.get("close_mosaic", CLOSE_MOSAIC)
        whole = whole_epochs(self.epochs, warmup, close)
        looks = count_refreshes(self.epochs, whole, recipe.skip_learnt)
        return used + looks * chosen * self.forward


def _recipe(cell: Mapping[str, Any]) -> Recipe | None:
    """Return the recipe of a cell, or None if it has none."""
    return Recipe.model_validate(cell["recipe"]) if cell.get("recipe") else None


def _rules(recipe: Recipe) -> str:
    rules = recipe.skipping
    return "" if rules is None else json.dumps([type(rules).__name__, rules.model_dump()], sort_keys=True)


def _forward(cell: FinishedCell) -> float:
    """Return the share of the forward pass in the operations of a training step."""
    flops = cell.training.flops
    whole = 0.0 if flops is None else flops.forward + flops.backward
    return FORWARD if flops is None or not whole else flops.forward / whole
