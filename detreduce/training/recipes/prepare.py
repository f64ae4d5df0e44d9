"""Prepare a recipe for one training: check it, choose and write its subset, and compute its settings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.training.energy import EnergyMeter
from detreduce.training.recipes.checks import check_recipe
from detreduce.training.recipes.recipe import RESOLVED, SQRT, Recipe, Subset
from detreduce.training.recipes.settings import RecipeSettings, recipe_settings
from detreduce.training.run.optimiser import resolve_optimiser
from detreduce.vocabulary.option_values import ALL

SELECTION_PHASE = "selection"
"""Name of the energy phase in which the subset of a recipe is chosen."""
ARGUMENTS = {
    "batch": ("batch",),
    "nbs": ("nbs",),
    "imgsz": ("imgsz",),
    "freeze": ("freeze",),
    "mosaic": ("mosaic", "close_mosaic"),
    "warmup": ("warmup_epochs",),
    "images_seen": ("time",),
    "progressive": ("multi_scale",),
}
"""Key of a recipe -> the ultralytics arguments that set the same thing."""


@dataclass(frozen=True)
class RecipeData:
    """The dataset, model and seed for which a recipe is prepared.

    `images` is the folder of the images, which is only needed for COCO.
    """

    data: str | Path
    images: str | Path | None
    model: str
    seed: int


@dataclass(frozen=True)
class PreparedRecipe:
    """A recipe whose subset has been written and whose settings are known.

    Attributes
    ----------
    recipe
        The recipe, or None for a training without a recipe.
    settings
        The ultralytics arguments, and the number of images per epoch.
    data
        The dataset to train on: the subset, or the whole dataset.
    loaded
        The train split of `data`, if it has already been loaded.
    """

    recipe: Recipe | None
    settings: RecipeSettings
    data: str | Path
    loaded: DetectionDataset | None = None


@contextmanager
def prepared_recipe(
    recipe: Recipe, where: RecipeData, arguments: Mapping[str, Any], meter: EnergyMeter
) -> Iterator[PreparedRecipe]:
    """Prepare a recipe for a training. The files of its subset are deleted after the ``with`` block.

    `arguments` are the checked ultralytics arguments before the recipe changes them. If the recipe has a subset, its
    images are chosen here, and `meter` measures the energy of the choice as the phase ``selection``. Raise InputError
    if the recipe cannot be trained with these arguments.
    """
    dataset = load_dataset(where.data, split="train", images=where.images)
    base = dict(arguments)
    if recipe.lr0 in (RESOLVED, SQRT):
        base |= resolve_optimiser(base, images=len(dataset), classes=len(dataset.class_names))
    check_recipe(recipe, base, dataset, where.model)
    if recipe.subset is None:
        settings = recipe_settings(recipe, base, images=len(dataset), chosen=len(dataset))
        yield PreparedRecipe(recipe, settings, where.data, dataset)
        return
    with tempfile.TemporaryDirectory(prefix="detreduce-subset-") as folder:
        with meter.measure(SELECTION_PHASE):
            subset = _write_subset(recipe.subset, dataset, Path(folder) / "subset", where.seed)
        # messages must not name the temporary folder
        source = replace(subset.source, origin=dataset.source.typed, images=dataset.source.images)
        subset = replace(subset, source=source)
        settings = recipe_settings(recipe, base, images=len(dataset), chosen=len(subset))
        yield PreparedRecipe(recipe, settings, subset.source.path, subset)


def check_contradictions(recipe: Recipe, arguments: Mapping[str, Any], images_per_epoch: int | None) -> None:
    """Raise InputError if an argument that the caller passed contradicts the recipe."""
    for key, names in ARGUMENTS.items():
        wanted = getattr(recipe, key)
        for name in names if wanted is not None else ():
            if name in arguments and (name != key or arguments[name] != wanted):
                raise InputError(
                    f"{name}={arguments[name]!r} contradicts the recipe {recipe.label!r}, which has {key}: {wanted}. "
                    "Leave out one of them."
                )
    if "lr0" in arguments and not isinstance(recipe.lr0, str) and arguments["lr0"] != recipe.lr0:
        raise InputError(
            f"lr0={arguments['lr0']!r} contradicts the recipe {recipe.label!r}, which has lr0: {recipe.lr0}. Leave out "
            "one of them."
        )
    if recipe.batch is not None and recipe.nbs is None and arguments.get("nbs", recipe.batch) != recipe.batch:
        raise InputError(
            f"nbs={arguments['nbs']!r} contradicts the recipe {recipe.label!r}: its batch of {recipe.batch} is also "
            "nbs. Set nbs in the recipe."
        )
    if images_per_epoch is not None:
        raise InputError(
            f"images_per_epoch={images_per_epoch!r} cannot be used with a recipe. Set images_seen in the recipe."
        )


def _write_subset(subset: Subset, dataset: DetectionDataset, folder: Path, seed: int) -> DetectionDataset:
    """Choose the images of a subset, write them as links, and return the subset as a dataset."""
    from detreduce.reduction.request import Output, ReductionRequest
    from detreduce.reduction.steps import Reduction
    from detreduce.selection.request import CompositionRequest, SelectionRequest

    request = SelectionRequest(
        method=subset.name,
        keep=subset.count,
        seed=seed,
        composition=CompositionRequest.of(**subset.composition()),
        parameters=subset.parameters,
    )
    output, keep_all = Output(folder, link="symlink", page=False), subset.keep == ALL
    reduction = Reduction(ReductionRequest(dataset, output, request, keep_all=keep_all), dataset)
    reduction.request.check_method()
    reduction.check()
    source = reduction.extract()
    selection = reduction.choose(source, reduction.check_room(reduction.find_duplicates(source)))
    return reduction.write(selection)
