"""Check a configuration and its dataset before the first cell runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from detreduce.dataset.categories import assign_categories
from detreduce.dataset.health.counts import load_all_splits
from detreduce.dataset.joined_classes import join_classes
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.suggested_command import inspect_command, split_command
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.cells import uses_features
from detreduce.experiment.config import ExperimentConfig
from detreduce.features.detector.predict import Prediction
from detreduce.features.table import PROXY_BLOCKS
from detreduce.reducers import make_reducer
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reduction.request import ReductionRequest
from detreduce.reduction.steps import Reduction
from detreduce.selection.request import CompositionRequest, SelectionRequest
from detreduce.selection.sections import MethodConfig
from detreduce.training.recipes.checks import check_recipe
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.run.detector_training import load_network
from detreduce.training.run.model import find_model
from detreduce.ultralytics_bridge.detector import check_head
from detreduce.vocabulary.option_values import ALL


def check_experiment(config: ExperimentConfig, dataset: DetectionDataset, evaluate_on: str) -> None:
    """Check the settings of an experiment. If any are wrong, raise one InputError that lists all of them.

    Wrong settings are, for example, a split that does not exist, an invalid keep or missing weights.
    """
    problems: list[str] = []

    def attempt(where: str, check: Callable[[], object]) -> None:
        """Run a check, and add its error to the problems."""
        try:
            check()
        except DetreduceError as error:
            problems.append(f"{where}: {error}")

    if not dataset.labelled:
        problems.append(f"dataset: {dataset.source.typed} has no labels to train on")
    if len(dataset) and not any(record.trainable for record in dataset):
        problems.append(
            f"dataset: ultralytics would leave out all {len(dataset)} images of the train split because of their label "
            f"files. List the problems: {inspect_command(dataset)}"
        )
    if not {"val", "test"} & set(dataset.source.splits):
        # Ultralytics needs a `val:` entry. A reduced cell would therefore use train as its val split, and the mAP would
        # be measured on train.
        problems.append(
            f"dataset: {dataset.source.typed} has neither a val nor a test split, so no mAP can be measured. Hold out "
            f"a part of train: `{split_command(dataset)}`"
        )
    attempt("dataset", lambda: join_classes(load_all_splits(dataset)[0]))
    for split in evaluate_on.split("+"):
        if split != "auto" and split not in dataset.source.splits:
            there = ", ".join(dataset.source.splits)
            problems.append(f"evaluate.on: the dataset does not have the split {split!r}. Use one of: {there}")
    for keep in config.reduce.keeps:
        attempt("reduce.keep", lambda keep=keep: check_keep(config, dataset, keep))  # type: ignore[misc]
    problems += [
        f"{place}: {ALL!r} cannot be used with drop_duplicates by features, because the features are not made yet. "
        "Write a number, or compare pixels: drop_duplicates: true"
        for place, methods in _keeping_all(config)
        if any(_drops_by_features(method, config) for method in methods)
    ]
    rule = config.reduce.categories
    attempt("reduce.categories", lambda: assign_categories(dataset.sparse_class_counts, dataset.class_names, rule))
    problems += _unequal(config)
    attempt("train.model", lambda: find_model(config.train.model))
    for place, recipe in enumerate(config.recipes):
        attempt(f"recipes.{place}", lambda recipe=recipe: check_recipe_cells(config, dataset, recipe))  # type: ignore[misc]
    problems += _detector_problems(config, dataset) or _features_problems(config, dataset)
    if any(name in make_reducer(method.name).needs for method in config.choosers for name in PROXY_BLOCKS):
        model = (config.proxy.model if config.proxy else None) or config.train.model
        attempt("proxy.model", lambda: check_head(load_network(find_model(model)), model))
        if config.proxy:
            share = config.proxy.share
            attempt("proxy.share", lambda: resolve_keep(share, len(dataset)))
    if problems:
        numbered = "\n".join(f"  {number}. {text}" for number, text in enumerate(problems, 1))
        raise InputError(f"The experiment {config.name!r} cannot run:\n{numbered}")


def _unequal(config: ExperimentConfig) -> list[str]:
    """Return a message for each training argument that would make cells differ in their number of steps."""
    given = config.train.arguments
    problems = []
    if given.get("time"):
        problems.append(
            f"train.time: a limit of {given['time']!r} hours would stop each cell at a different step. Set epochs, and "
            "limit the whole run with --max-hours"
        )
    epochs = given.get("epochs", 100)
    patience = given.get("patience")
    if config.evaluate.choose == "best" and patience is not None and 0 < int(patience) < int(epochs):
        problems.append(
            f"train.patience: {patience!r} would stop some cells before {epochs} epochs, so cells would not be "
            "comparable. Remove this key"
        )
    return problems


def _detector_problems(config: ExperimentConfig, dataset: DetectionDataset) -> list[str]:
    """Return the problem of the detector that predicts boxes, if it cannot be used."""
    detector = config.features.predicting
    if detector is None:
        return []
    try:
        Prediction(detector).without_boxes(dataset)
    except DetreduceError as error:
        return [f"features.detector: {error}"]
    return []


def _features_problems(config: ExperimentConfig, dataset: DetectionDataset) -> list[str]:
    """Return the problems of the features that methods or searches for duplicates use, without repetitions."""
    problems: dict[str, None] = {}
    for method in config.choosers:
        if not uses_features(method.name, method.composition(config.reduce)):
            continue
        reduction = _reduction(config, dataset, method)
        key = "blocks"
        try:
            reduction.check_blocks()
            key = "backbone"
            reduction.check_backbone()
        except DetreduceError as error:
            problems[f"features.{key}: {error}"] = None
    return list(problems)


def _keeping_all(config: ExperimentConfig) -> Iterator[tuple[str, Sequence[MethodConfig]]]:
    """Yield each place in the YAML where `keep` is ``all``, and the methods to which it applies."""
    if ALL in config.reduce.keep:
        yield "reduce.keep", config.reduce.methods
    for place, recipe in enumerate(config.recipes):
        if recipe.subset is not None and recipe.subset.keep == ALL:
            yield f"recipes.{place}.subset.keep", [recipe.subset]


def _drops_by_features(method: MethodConfig, config: ExperimentConfig) -> bool:
    return CompositionRequest.of(**method.composition(config.reduce)).by_features


def check_keep(config: ExperimentConfig, dataset: DetectionDataset, keep: float | int) -> None:
    """Raise InputError if `keep` is smaller than the number of images that are kept before the method chooses."""
    resolve_keep(keep, len(dataset))
    for method in config.reduce.methods:
        try:
            _reduction(config, dataset, method).at_keep(keep).check_keep()
        except InputError as error:
            raise InputError(f"{method.name} at keep {keep}: {error}") from None


def check_recipe_cells(config: ExperimentConfig, dataset: DetectionDataset, recipe: Recipe) -> None:
    """Raise InputError if a recipe cannot run with the dataset and the model of the experiment."""
    if recipe.subset is not None:
        keep, reduction = recipe.subset.keep, _reduction(config, dataset, recipe.subset)
        (reduction.keeping_all() if isinstance(keep, str) else reduction.at_keep(keep)).check_keep()
    check_recipe(recipe, config.train.arguments, dataset, config.train.model)


def _reduction(config: ExperimentConfig, dataset: DetectionDataset, method: MethodConfig) -> Reduction:
    """Return a `Reduction` with the settings of a method, for checks. It has no keep and no seed."""
    selection = SelectionRequest(
        method=method.name,
        categories=config.reduce.categories,
        composition=CompositionRequest.of(**method.composition(config.reduce)),
        parameters=method.parameters,
    )
    request = ReductionRequest(
        dataset, None, selection, config.features.extraction(), detector=config.features.predicting
    )
    return Reduction(request, dataset)
