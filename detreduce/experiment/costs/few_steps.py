"""Find the cell of a run with the fewest optimiser steps, if each of its steps takes several batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from detreduce.experiment.cells import Cell
from detreduce.training.recipes.few_steps import describe_few_steps, seen_by
from detreduce.training.recipes.recipe import images_of
from detreduce.training.recipes.settings import RecipeSettings


def describe_fewest_steps(cells: Iterable[Cell], images: int, settings: Callable[[Cell, int], RecipeSettings]) -> str:
    """Return a sentence about the cell with the fewest optimiser steps, if they are few and large. Else an empty text.

    `images` is the number of images in the train split. `settings` returns the settings of a cell that trains on a
    number of images.
    """
    found: dict[int, str] = {}
    for cell in cells:
        chosen = images if cell.on_all else images_of(cell.chosen_keep, images)
        own = settings(cell, chosen)
        seen = seen_by(own.arguments, own.images_per_epoch or chosen)
        if note := describe_few_steps(own.arguments, seen):
            found[seen] = f"{cell.label}: {note}"
    return found[min(found)] if found else ""
