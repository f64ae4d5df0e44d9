"""The recipes that a tuning tries: a short list that depends on the data and the model, or a list from the user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detreduce.dataset.health.advice import UNEVEN_CLASSES, class_ratio
from detreduce.dataset.health.checks import images_by_class
from detreduce.dataset.paths.finding import find
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import DetreduceError, InputError
from detreduce.features.table import PROXY_BLOCKS
from detreduce.machine.untrusted.checked_yaml import read_yaml
from detreduce.reducers import reducer_class
from detreduce.training.recipes.reading import read_recipe
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import BATCH, IMGSZ

AS_GIVEN = "as-given"
"""Name of the recipe that changes nothing and trains with the user's own settings."""
BATCHES = (16, 8, 4)
BACKBONE = 10
"""Number of layers in the backbone of ultralytics' YOLO models."""
SMALLER, LEAST_SIZE = 0.7, 96
"""Factor by which the smaller image size is reduced (320 px become 224 px), and the smallest size that is tried."""

Recipes = str | Path | Sequence[Recipe | Mapping[str, Any]]


@dataclass(frozen=True)
class Given:
    """What the default recipes depend on: ultralytics' arguments, the train split, the model and its number of
    layers.
    """

    arguments: Mapping[str, Any]
    dataset: DetectionDataset
    model: str
    layers: int


def default_recipes(given: Given) -> list[Recipe]:
    """Return the recipes that are tried if the user gives no list. The first one is the user's own settings.

    The next recipes have a smaller batch. At equal operations, this is the only setting that a result in this
    repository supports. Each other recipe has batch 8 and changes one more setting:

    - It trains on smaller images.
    - If the classes are uneven, it uses the stream ``class_uniform``.
    - If the weights are pretrained, it freezes other layers.

    Recipes that the data or the model do not allow are left out.
    """
    images = len(given.dataset)
    before = given.arguments.get("batch", BATCH), given.arguments.get("nbs", 64)
    found = [Recipe(batch=batch) for batch in BATCHES if batch <= images and before != (batch, batch)]
    batch = {"batch": 8} if images >= 8 else {}
    size = given.arguments.get("imgsz") or IMGSZ
    smaller = round(size * SMALLER / 32) * 32 if isinstance(size, int) else 0
    if LEAST_SIZE <= smaller < size:
        found.append(Recipe(**batch, imgsz=smaller))
    if _are_uneven(given.dataset):
        found.append(Recipe.model_validate({**batch, "stream": "class_uniform"}))
    if given.model.endswith(".pt") and given.layers > BACKBONE:
        found.append(Recipe(**batch, freeze=0 if given.arguments.get("freeze") else BACKBONE))
    return [Recipe(name=AS_GIVEN), *found]


def _are_uneven(dataset: DetectionDataset) -> bool:
    """Return whether the classes are so uneven that images with rare classes may be worth more than others."""
    ratio = class_ratio(images_by_class(dataset)) if dataset.labelled else None
    return ratio is not None and ratio >= UNEVEN_CLASSES


def read_recipes(recipes: Recipes) -> list[Recipe]:
    """Read recipes from a YAML file, or from a sequence of recipes and dicts. The user's own settings are added first.

    The YAML file contains a list, possibly under the key ``recipes``. If there are errors, raise one InputError that
    lists all of them.
    """
    entries, where, beside = _entries(recipes)
    found, faults = [], []
    for place, entry in enumerate(entries):
        try:
            recipe = read_recipe(entry, beside)
            _check_free(recipe)
            found.append(recipe)
        except DetreduceError as error:
            faults.append(f"recipe {place + 1}: {str(error).removeprefix('recipe: ')}")
    if not entries:
        faults = ["there is no recipe. Write at least one, such as batch: 4"]
    unnamed = [recipe for recipe in found if recipe.without_name != Recipe()]
    faults += _same(unnamed)
    if faults:
        raise InputError(f"{where}: {'; '.join(faults)}")
    return [Recipe(name=AS_GIVEN), *unnamed]


def _entries(recipes: Recipes) -> tuple[list[Any], str, Path | None]:
    """Return the recipes as they were given, and the name of their list for error messages.

    The third value is the folder of the YAML file, or None if there is no file.
    """
    if not isinstance(recipes, str | Path):
        return list(recipes), "recipes", None
    file = find(recipes, what="list of recipes")
    content = read_yaml(file)
    listed = content.get("recipes") if isinstance(content, dict) else content
    if not isinstance(listed, list):
        raise InputError(f"{file} is not a list of recipes. Write one recipe per line, such as: - {{batch: 4}}")
    return listed, str(file), file.parent


def _check_free(recipe: Recipe) -> None:
    """Raise InputError if a recipe has a key that does not work in a tuning, for example its own number of images
    seen.
    """
    if recipe.images_seen is not None:
        raise InputError(f"{recipe.label} has images_seen, but the rungs decide how long a training is. Leave it out")
    if recipe.skip_learnt is not None:
        raise InputError(
            f"{recipe.label} has skip_learnt, which needs 100 epochs and more, but most trainings of a tuning are "
            "short. Leave it out"
        )
    if recipe.infobatch is not None:
        raise InputError(
            f"{recipe.label} has infobatch, which decides how many images an epoch has, but the rungs decide how long "
            "a training is. Leave it out"
        )
    if recipe.subset is not None and set(reducer_class(recipe.subset.name).needs) & set(PROXY_BLOCKS):
        raise InputError(
            f"{recipe.subset.name} needs a proxy training, which a tuning does not make. Use another method, or "
            "compare the recipes in an experiment"
        )
    if recipe.name == AS_GIVEN:
        raise InputError(f"{AS_GIVEN!r} is the name of your own settings. Use another name")


def _same(recipes: Iterable[Recipe]) -> list[str]:
    """Return a message for each recipe that has the same name or the same settings as an earlier one."""
    seen: list[Recipe] = []
    faults = []
    for recipe in recipes:
        if any(recipe.label == other.label or recipe.without_name == other.without_name for other in seen):
            faults.append(f"two recipes are {recipe.label!r}, or differ only in their names. Remove one")
        seen.append(recipe)
    return faults
