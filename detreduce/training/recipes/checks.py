"""Check a recipe against the dataset and the model before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import recipe_settings
from detreduce.training.run.arguments import check_arguments
from detreduce.training.run.detector_training import load_network
from detreduce.training.run.image_losses import check_weightable
from detreduce.training.run.model import find_model
from detreduce.training.streams.stream import Stream


def check_recipe(recipe: Recipe, arguments: Mapping[str, Any], dataset: DetectionDataset, model: str) -> None:
    """Raise InputError if a recipe cannot be used with a model and a dataset. No image is opened.

    `arguments` are ultralytics' arguments before the recipe changes them, and `dataset` is the train split. The
    model is loaded only if the recipe freezes layers, or weighs images in the loss.
    """
    chosen = len(dataset) if recipe.subset is None else resolve_keep(recipe.subset.count, len(dataset))
    settings = recipe_settings(recipe, arguments, images=len(dataset), chosen=chosen)
    check_arguments(settings.arguments)
    _check_stream(recipe.stream, dataset)
    if recipe.infobatch is not None:
        check_weightable(load_network(find_model(model)))
    if recipe.freeze is not None:
        check_freeze(recipe.freeze, count_layers(model), model)


def _check_stream(stream: Stream, dataset: DetectionDataset) -> None:
    if stream.by in ("class_uniform", "weights"):
        # import it here, because it imports features and duplicates
        from detreduce.training.streams.resolve import image_weights

        image_weights(dataset, stream)
    elif (stream.by == "core_first" or stream.times_classes) and not dataset.labelled:
        raise InputError(f"{dataset.source.typed}: the stream {stream.by} needs labels, but the images have none.")


def count_layers(model: str) -> int:
    """Return the number of layers of a model, including its head. Raise InputError if the model cannot be read."""
    return len(load_network(find_model(model)).model.model)


def check_freeze(freeze: int | list[int], layers: int, model: str) -> None:
    """Raise InputError if `freeze` names layers that do not exist, or if it freezes all layers."""
    last = freeze - 1 if isinstance(freeze, int) else max(freeze, default=-1)
    if last >= layers:
        what = f"{freeze} layers" if isinstance(freeze, int) else f"layer {last}"
        raise InputError(f"freeze: {model} has no {what}: its {layers} layers are 0 to {layers - 1}. Freeze fewer.")
    if (freeze if isinstance(freeze, int) else len(set(freeze))) == layers:
        raise InputError(f"freeze: all {layers} layers of {model} are frozen, so nothing learns. Freeze fewer.")
