"""Write the recipe that a tuning recommends, and build the `detreduce train` command that uses it."""

from __future__ import annotations

import shlex
from pathlib import Path

from detreduce.experiment.advice.recipe_file import argument_words, write_recipe
from detreduce.experiment.tuning.setup import Setup
from detreduce.training.recipes.prepare import ARGUMENTS
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.run.optimiser import resolve_optimiser

SETS = {**ARGUMENTS, "batch": ("batch", "nbs")}
"""Key of a recipe -> arguments of ultralytics that this key replaces."""


def write_tuned(setup: Setup, recipe: Recipe, file: Path, about: str) -> str:
    """Write a recipe to a YAML file. Return the `detreduce train` command that repeats the training of the tuning.

    If the recipe sees the same number of images as the whole training, the number is left out of the file.
    """
    if recipe.images_seen == setup.training.full:
        recipe = recipe.model_copy(update={"images_seen": None})
    write_recipe(file, recipe, about)
    request = setup.request
    # use the cleaned dataset, because the user's dataset may have leaks, which `train` refuses
    data = str(setup.dataset.source.path) if request.drop_leaked else setup.source
    words = ["detreduce", "train", data, "--model", str(request.model), "--recipe", str(file)]
    words += ["--allow-leaks"] * request.allow_leaks
    given = dict(request.arguments)
    # name the optimiser that all trainings of the tuning used
    given |= resolve_optimiser(given, images=len(setup.dataset), classes=len(setup.dataset.class_names))
    left_out = {name for key, names in SETS.items() if getattr(recipe, key) is not None for name in names}
    left_out |= set() if isinstance(recipe.lr0, str) else {"lr0"}
    arguments = {name: value for name, value in given.items() if name not in left_out}
    return shlex.join([*words, *argument_words(arguments)])
