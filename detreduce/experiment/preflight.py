"""What a configuration and a dataset can be checked for before the first cell runs."""

from __future__ import annotations

from collections.abc import Callable

from detreduce.dataset.categories import assign_categories
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.config import ExperimentConfig
from detreduce.features.backbones import make_backbone
from detreduce.features.blocks import FEATURES, blocks_for, default_blocks, kinds_of
from detreduce.features.table import SEPARATE_BLOCKS
from detreduce.reducers import make_reducer
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.selection.composition import check_composition
from detreduce.selection.request import CompositionRequest
from detreduce.training.run.detector_training import load_network
from detreduce.training.run.model import find_model
from detreduce.ultralytics_bridge.detector import check_head


def check_experiment(config: ExperimentConfig, dataset: DetectionDataset, evaluate_on: str) -> None:
    """Raise InputError that lists everything for which a cell would fail: splits, keep, categories, weights."""
    problems: list[str] = []

    def attempt(where: str, check: Callable[[], object]) -> None:
        try:
            check()
        except DetreduceError as error:
            problems.append(f"{where}: {error}")

    if not dataset.labelled:
        problems.append(f"dataset: {dataset.source.path} has no labels to train on")
    for split in evaluate_on.split("+"):
        if split != "auto" and split not in dataset.source.splits:
            there = ", ".join(dataset.source.splits)
            problems.append(f"evaluate.on: the dataset has no split {split!r}; it has: {there}")
    for keep in config.reduce.keep:
        attempt("reduce.keep", lambda keep=keep: _check_keep(config, dataset, keep))  # type: ignore[misc]
    rule = config.reduce.categories
    attempt("reduce.categories", lambda: assign_categories(dataset.class_counts, dataset.class_names, rule))
    problems += _unequal(config)
    attempt("train.model", lambda: find_model(config.train.model))
    problems += _features_problems(config, dataset)
    if any(name in make_reducer(method.name).needs for method in config.reduce.methods for name in SEPARATE_BLOCKS):
        model = (config.proxy.model if config.proxy else None) or config.train.model
        attempt("proxy.model", lambda: check_head(load_network(find_model(model)), model))
        if config.proxy:
            share = config.proxy.share
            attempt("proxy.share", lambda: resolve_keep(share, len(dataset)))
    if problems:
        numbered = "\n".join(f"  {number}. {text}" for number, text in enumerate(problems, 1))
        raise InputError(f"The experiment {config.name!r} cannot run:\n{numbered}")


def _unequal(config: ExperimentConfig) -> list[str]:
    """What would let cells that are compared train for other lengths than they are said to."""
    given = config.train.arguments
    problems = []
    if given.get("time"):
        problems.append(
            f"train.time: {given['time']!r} hours would end every cell at another step; give epochs, and limit the "
            "whole run by --max-hours"
        )
    epochs = given.get("epochs", 100)
    patience = given.get("patience")
    if config.evaluate.choose == "best" and patience is not None and 0 < int(patience) < int(epochs):
        problems.append(
            f"train.patience: {patience!r} would stop some of the cells before their {epochs} epochs, so that they no "
            "longer compare; leave it out"
        )
    return problems


def _features_problems(config: ExperimentConfig, dataset: DetectionDataset) -> list[str]:
    """What keeps the features of the methods that need some from being extracted; each problem once."""
    features = config.features
    problems: dict[str, None] = {}
    for method in config.reduce.methods:
        reducer = make_reducer(method.name, **method.parameters)
        if FEATURES not in kinds_of(reducer.needs):
            continue
        try:
            if not features.backbone.startswith("file:"):
                _ = make_backbone(features.backbone, features.imgsz).weights
        except DetreduceError as error:
            problems[f"features.backbone: {error}"] = None
        try:
            blocks = features.blocks or default_blocks(features.backbone, labelled=dataset.labelled)
            blocks_for(method.name, reducer.needs, dataset, features.backbone, blocks)
        except DetreduceError as error:
            problems[f"features.blocks: {error}"] = None
    return list(problems)


def _check_keep(config: ExperimentConfig, dataset: DetectionDataset, keep: float | int) -> None:
    """Is there room for what is kept before each method chooses?"""
    k = resolve_keep(keep, len(dataset))
    for method in config.reduce.methods:
        try:
            check_composition(dataset, k, CompositionRequest.of(**method.composition(config.reduce)))
        except InputError as error:
            raise InputError(f"{method.name} at keep {keep}: {error}") from None
