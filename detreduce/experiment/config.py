"""The experiment YAML: a pydantic model of its content, and functions that read and check a YAML file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, model_validator

from detreduce.dataset.load import YAML_SUFFIXES
from detreduce.dataset.paths.finding import find, locate_dataset
from detreduce.dataset.paths.output_name import output_name
from detreduce.dataset.paths.path_variables import expand
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.sections import (
    EnergyConfig,
    EvaluateConfig,
    FeaturesConfig,
    ProxyConfig,
    ReduceConfig,
    TrainConfig,
)
from detreduce.machine.untrusted.checked_yaml import read_keys
from detreduce.machine.untrusted.faults import describe_fault
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.selection.sections import IMAGE_LISTS, MethodConfig, Section
from detreduce.training.recipes.reading import read_images, with_files
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import EPOCHS
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.option_values import ALL

if TYPE_CHECKING:
    Control = str
else:
    Control = Literal[tuple(CONTROLS)]
"""The name of a control, as in `CONTROLS`."""


class ExperimentConfig(Section):
    """A grid of cells (trainings) on one dataset: every method at every keep with every seed, plus the controls."""

    name: str = Field(pattern=r"^[\w.-]+$")
    """Name of the experiment: letters, digits, `_`, `.` and `-`. The ledger is the folder `runs/<name>`."""
    dataset: str
    """Path of the dataset, usually the path of a data.yaml; see `load_dataset`."""
    features: FeaturesConfig = FeaturesConfig()
    """The features that methods use to choose images."""
    reduce: ReduceConfig = ReduceConfig()
    """Which images to keep. May be left out if there are `recipes`."""
    recipes: list[Recipe] = Field(default=[])
    """Trainings that differ in more than their images, for example `{batch: 4}` or `{stream: class_uniform}`."""
    proxy: ProxyConfig | None = None
    """A short training that the methods `vps`, `forgetting`, `el2n`, `aum` and `gradmatch` need."""
    train: TrainConfig = Field(default_factory=TrainConfig)
    """The training of the detector."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """Which images and which epoch to evaluate."""
    controls: list[Control] = Field(default=[FULL])
    """Trainings that the methods are compared with. The page about the numbers describes each control."""
    energy: EnergyConfig = EnergyConfig()
    """The country whose electricity mix is used for the estimate of CO2."""
    allow_leaks: bool = False
    """true: train even if images of val or test are also in train. The results then carry a warning."""

    @model_validator(mode="after")
    def _tells_recipes_apart(self) -> ExperimentConfig:
        epochs = int(self.train.arguments.get("epochs") or EPOCHS)
        seen: dict[tuple[str, str], int] = {}
        for place, recipe in enumerate(self.recipes):
            key = recipe.label, keep_key(recipe.budget(epochs))
            if key in seen:
                raise ValueError(
                    f"recipes.{place}: this recipe has the same name and the same number of images seen as "
                    f"recipes.{seen[key]}, {recipe.label!r}. Give both a name, or remove one"
                )
            seen[key] = place
            same = [other for other in self.recipes[:place] if other.without_name == recipe.without_name]
            if same:
                raise ValueError(
                    f"recipes.{place}: {recipe.label!r} and {same[0].label!r} differ only in their names. Remove one"
                )
        return self

    @property
    def choosers(self) -> list[MethodConfig]:
        """All methods that choose images, including the methods in recipes."""
        return [*self.reduce.methods, *(recipe.subset for recipe in self.recipes if recipe.subset is not None)]

    @model_validator(mode="after")
    def _counts_its_steps(self) -> ExperimentConfig:
        batch = self.train.arguments.get("batch", 16)
        if EQUAL_ITERATIONS in self.controls and (batch is None or batch != int(batch) or batch < 1):
            raise ValueError(
                f"train.batch: {batch!r} is not a number of images, but the control {EQUAL_ITERATIONS} needs one: set "
                "for example 16"
            )
        return self

    @model_validator(mode="after")
    def _has_its_detector(self) -> ExperimentConfig:
        from detreduce.features.table import DETECTOR_BLOCKS, PROXY_BLOCKS
        from detreduce.reducers import reducer_class

        for method in self.choosers:
            needs = set(reducer_class(method.name).needs)
            if self.features.detector is None and needs & set(DETECTOR_BLOCKS):
                raise ValueError(
                    f"features.detector: missing, but the method {method.name!r} needs a detector: add for example "
                    "features: {detector: yolov8n.pt}"
                )
            if self.features.detector is not None and needs & set(PROXY_BLOCKS):
                raise ValueError(
                    f"features.detector: replaces the labels, but the method {method.name!r} learns from a training "
                    "with labels. Remove the detector or the method"
                )
        return self

    @model_validator(mode="after")
    def _has_its_proxy(self) -> ExperimentConfig:
        from detreduce.features.table import PROXY_BLOCKS
        from detreduce.reducers import reducer_class

        for method in self.choosers:
            if self.proxy is None and any(name in reducer_class(method.name).needs for name in PROXY_BLOCKS):
                raise ValueError(
                    f"proxy: missing, but the method {method.name!r} needs a proxy training: add for example "
                    "proxy: {model: yolov8n.pt, epochs: 5, imgsz: 320}"
                )
        return self


def load_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> ExperimentConfig:
    """Read an experiment YAML, and make its paths absolute.

    `overrides` replaces values, given by their dotted names: ``{"train.epochs": 1}``. Relative paths are looked up in
    the folder of the YAML, then in the working folder, then among the files that come with detreduce. If the content is
    wrong, raise one InputError that lists all errors. If the YAML does not exist, raise MissingFileError.
    """
    file = find(path, what="experiment YAML", suffixes=YAML_SUFFIXES)
    if file.is_dir() and (file / "cells").is_dir():
        raise InputError(f"{file} is a ledger, not an experiment YAML. Its experiment is {file / 'config.yaml'}.")
    if file.is_dir() or file.suffix == ".json":
        raise InputError(_no_experiment(file, "not an experiment YAML"))
    content = read_keys(file, "an experiment YAML")
    if "names" in content and "reduce" not in content:
        raise InputError(_no_experiment(file, "a dataset, not an experiment"))
    for name, value in (overrides or {}).items():
        _replace(content, name, value)
    return parse_config(content, beside=file.parent, file=file)


def _no_experiment(file: Path, what: str) -> str:
    """Return the error message for a path that is not an experiment and may be a dataset."""
    command = shlex.join(["detreduce", "reduce", str(file), "--output", output_name(file, "reduced")])
    return (
        f"{file} is {what}. `{command}` chooses images of a dataset, "
        "and `detreduce run` needs an experiment YAML, for instance configs/demo.yaml."
    )


def _replace(content: dict[str, Any], name: str, value: Any) -> None:
    """Set the value with a dotted name such as ``train.epochs``. Sections that do not exist are added to `content`."""
    *sections, key = name.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise InputError(f"{name}: {section!r} is a value, not a section.")
    content[key] = value


def parse_config(content: dict[str, Any], *, beside: Path, file: Path | str = "configuration") -> ExperimentConfig:
    """Check the content of an experiment YAML. If it is wrong, raise one InputError that lists all errors.

    Relative paths are looked up in the folder `beside` first. `file` is the name of the YAML in error messages.
    """
    problems = _missing_keys(content)
    config = None
    try:
        config = ExperimentConfig.model_validate(content)
    except ValidationError as error:
        problems += [describe_fault(item, ExperimentConfig) for item in error.errors()]
    resolved = _resolve_paths(content, beside, problems)
    files = _read_images(config.reduce, beside, problems) if config is not None else {}
    recipes = _read_recipes(config.recipes, beside, problems) if config is not None else []
    if config is None or problems:
        numbered = "\n".join(f"  {number}. {text}" for number, text in enumerate(problems, 1))
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        raise InputError(f"{file}: {count}\n{numbered}")
    proxy = config.proxy
    if proxy is not None and proxy.model is not None:
        proxy = proxy.model_copy(update={"model": resolved["proxy"]})
    detector = config.features.detector
    if detector is not None:
        detector = detector.model_copy(update={"weights": resolved["detector"]})
    return config.model_copy(
        update={
            "dataset": resolved["dataset"],
            "reduce": config.reduce.with_images(files),
            "recipes": recipes,
            "features": config.features.model_copy(update={"backbone": resolved["backbone"], "detector": detector}),
            "train": config.train.model_copy(update={"model": resolved["model"]}),
            "proxy": proxy,
        }
    )


def _missing_keys(content: Mapping[str, Any]) -> list[str]:
    """Return one message for each missing key in the section `reduce`.

    These keys may be missing only if the experiment has recipes and no methods.
    """
    reduce = content.get("reduce", {})
    if "reduce" not in content:
        return [] if content.get("recipes") else ["reduce: missing. Write this section, or a list of recipes"]
    if not isinstance(reduce, dict):
        return []
    needed = [] if content.get("recipes") and not reduce.get("methods") else ["methods", "keep"]
    if not needed and ALL in (reduce.get("keep") or ()):
        return [f"reduce.keep: {ALL!r} needs a method. Write a number, or name a method in reduce.methods"]
    return [
        f"reduce.{key}: missing" if key not in reduce else f"reduce.{key}: empty. Write at least one"
        for key in needed
        if reduce.get(key) in (None, [], ())
    ]


def resolve_weights(name: str, beside: Path | None = None) -> str:
    """Return the path of a weights file. A relative path is looked up in `beside`, then in the working folder.

    If `name` is a file name that is in neither folder, return it unchanged, because ultralytics may know it.
    """
    expanded = expand(name)
    if "/" not in expanded and not any(is_regular(folder / expanded) for folder in (beside, Path.cwd()) if folder):
        return expanded
    return str(find(expanded, beside, what="weights file"))


def _resolve_paths(content: dict[str, Any], beside: Path, problems: list[str]) -> dict[str, str]:
    """Return the absolute path of each file that the YAML names, for example key ``model`` -> path of the weights.

    For each missing file, add a message to `problems`.
    """
    resolved: dict[str, str] = {}

    def attempt(key: str, where: str, value: Any, resolve: Any) -> None:
        """Resolve a value, or add its error to the problems."""
        if not isinstance(value, str):
            return
        try:
            resolved[key] = str(resolve(value))
        except DetreduceError as error:
            problems.append(f"{where}: {error}")

    def backbone(value: str) -> str:
        """Return the name of a backbone in which each path is resolved."""
        source, colon, rest = value.partition(":")
        if source == "torchvision" and "@" in rest:
            name, _, state = rest.partition("@")
            return f"{source}:{name}@{find(state, beside, what='state dict')}"
        return f"{source}:{resolve_weights(rest, beside)}" if colon and source in ("yolo", "file") else value

    attempt("dataset", "dataset", content.get("dataset"), lambda value: locate_dataset(value, beside))
    features = content.get("features") if isinstance(content.get("features"), dict) else {}
    train = content.get("train") if isinstance(content.get("train"), dict) else {}
    detector = (features or {}).get("detector")
    weights = detector.get("weights") if isinstance(detector, dict) else detector
    attempt("detector", "features.detector", weights, lambda value: resolve_weights(value, beside))
    attempt("backbone", "features.backbone", (features or {}).get("backbone", FeaturesConfig().backbone), backbone)
    model = (train or {}).get("model", TrainConfig().model)
    attempt("model", "train.model", model, lambda value: resolve_weights(value, beside))
    proxy = content.get("proxy") if isinstance(content.get("proxy"), dict) else {}
    attempt("proxy", "proxy.model", (proxy or {}).get("model"), lambda value: resolve_weights(value, beside))
    return resolved


def _read_images(reduce: ReduceConfig, beside: Path, problems: list[str]) -> dict[tuple[str, str], list[Any]]:
    """Return (key, file name) -> the images that the file lists, for keys such as ``must_keep``.

    For each file that cannot be read, add a message to `problems`.
    """
    images: dict[tuple[str, str], list[Any]] = {}
    for part in (reduce, *reduce.methods):
        for key in IMAGE_LISTS:
            name = getattr(part, key)
            if isinstance(name, str) and (key, name) not in images:
                try:
                    images[key, name] = read_images(key, name, beside)
                except DetreduceError as error:
                    problems.append(f"reduce.{key}: {error}")
    return images


def _read_recipes(recipes: list[Recipe], beside: Path, problems: list[str]) -> list[Recipe]:
    """Replace file names in the recipes by the content of the files.

    For each recipe whose files cannot be used, add a message to `problems`.
    """
    found = []
    for place, recipe in enumerate(recipes):
        try:
            found.append(with_files(recipe, beside))
        except DetreduceError as error:
            problems.append(f"recipes.{place}: {error}")
    return found
