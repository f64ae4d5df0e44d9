"""Replace the keep ``all`` by the number of images that remain after duplicates are left out."""

from __future__ import annotations

from detreduce.dataset.records import DetectionDataset
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.preflight import check_keep, check_recipe_cells
from detreduce.selection.choose import bare_table
from detreduce.selection.duplicate_search import count_remaining, duplicates_to_drop
from detreduce.selection.request import CompositionRequest
from detreduce.selection.sections import MethodConfig
from detreduce.training.recipes.recipe import Recipe
from detreduce.vocabulary.option_values import ALL


def with_counts(config: ExperimentConfig, dataset: DetectionDataset) -> ExperimentConfig:
    """Replace the keep ``all`` in a configuration by a number of images.

    For each method, count the images that remain after its excluded images and duplicates are left out. The smallest
    count replaces ``all``, because every method can keep this number of images. In a recipe, the count for its own
    subset replaces ``all``. The search for duplicates reads all images once, and its results are cached.
    """
    recipes = [_recipe_with_count(recipe, config, dataset) for recipe in config.recipes]
    if recipes != config.recipes:
        config = config.model_copy(update={"recipes": recipes})
    if ALL not in config.reduce.keep:
        return config
    images = min(_count(dataset, method, config) for method in config.reduce.methods)
    check_keep(config, dataset, images)
    return config.model_copy(update={"reduce": config.reduce.with_all(images)})


def _recipe_with_count(recipe: Recipe, config: ExperimentConfig, dataset: DetectionDataset) -> Recipe:
    """Return a recipe in which a number of images replaces the keep ``all``. Its name in tables stays the same.

    Raise InputError if the recipe needs more images, for example for its batch.
    """
    if recipe.subset is None or recipe.subset.keep != ALL:
        return recipe
    subset = recipe.subset.model_copy(update={"keep": _count(dataset, recipe.subset, config)})
    found = recipe.model_copy(update={"name": recipe.label, "subset": subset})
    check_recipe_cells(config, dataset, found)
    return found


def _count(dataset: DetectionDataset, method: MethodConfig, config: ExperimentConfig) -> int:
    """Return the number of images that remain after excluded images and duplicates are left out."""
    request = CompositionRequest.of(**method.composition(config.reduce))
    return count_remaining(bare_table(dataset), request, duplicates_to_drop(dataset, request))
