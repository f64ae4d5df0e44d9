"""The recipe that a tuning leaves: a YAML file for `detreduce train`, and the command that trains with it."""

from __future__ import annotations

import shlex
from pathlib import Path

from detreduce.experiment.advice.recipe_file import argument_words, write_recipe
from detreduce.experiment.tuning.setup import Setup
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.run.optimiser import resolve_optimiser

SETS = {
    "batch": ("batch", "nbs"),
    "nbs": ("nbs",),
    "imgsz": ("imgsz",),
    "freeze": ("freeze",),
    "mosaic": ("mosaic", "close_mosaic"),
    "warmup": ("warmup_epochs",),
    "progressive": ("multi_scale",),
}
"""Key of a recipe -> arguments of ultralytics that it replaces."""


def write_tuned(setup: Setup, recipe: Recipe, file: Path, about: str) -> str:
    """Write a recipe, and return the command that trains with it as the tuning did.

    A recipe that sees as many images as the whole training is written without a number of images.
    """
    if recipe.images_seen == setup.training.full:
        recipe = recipe.model_copy(update={"images_seen": None})
    write_recipe(file, recipe, about)
    request = setup.request
    # the user's dataset may have leaks, which `train` refuses
    data = str(setup.dataset.source.path) if request.drop_leaked else setup.source
    words = ["detreduce", "train", data, "--model", str(request.model), "--recipe", str(file)]
    words += ["--allow-leaks"] * request.allow_leaks
    given = dict(request.arguments)
    # the optimiser that all trainings of the tuning had
    given |= resolve_optimiser(given, images=len(setup.dataset), classes=len(setup.dataset.class_names))
    left_out = {name for key, names in SETS.items() if getattr(recipe, key) is not None for name in names}
    left_out |= set() if isinstance(recipe.lr0, str) else {"lr0"}
    arguments = {name: value for name, value in given.items() if name not in left_out}
    return shlex.join([*words, *argument_words(arguments)])
