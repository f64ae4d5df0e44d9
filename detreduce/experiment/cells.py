"""The cells (trainings) of an experiment, and the plan, which is the list of all its cells.

The key of a cell includes a hash of everything that affects the result of the cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from detreduce.experiment.config import ExperimentConfig
from detreduce.features.blocks import FEATURES, kinds_of
from detreduce.features.table import PROXY_BLOCKS
from detreduce.machine.hashes import json_hash
from detreduce.reducers import make_reducer, reducer_class
from detreduce.reducers.base import BaseReducer
from detreduce.selection.request import CompositionRequest, SelectionRequest
from detreduce.selection.sections import MethodConfig
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import EPOCHS
from detreduce.training.run.optimiser import resolve_optimiser
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, ON_ALL_IMAGES, RANDOM_METHODS, RECIPE, Role
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.labels import make_label, with_former_defaults


@dataclass(frozen=True, slots=True)
class Cell:
    """One training of an experiment, either on the subset that a method chose or as a control.

    Attributes
    ----------
    key
        Name of the cell, and of its folder in the ledger. It ends with a hash of everything that affects the result.
        Therefore a finished cell is reused only if nothing has changed.
    method
        Name of the method, or of the control.
    training_seed, selection_seed
        Seed of the training, and seed of the selection. `selection_seed` is None for controls that train on all images.
    control
        Name of the control. None if a method chooses the images.
    parameters
        The parameters of the method that differ from its defaults.
    keep
        The keep of the method. The control ``full_equal_iterations`` trains on all images. For example, with the keep
        0.25 it takes the same number of steps as a cell that trains on 25 % of the images.
    composition
        The steps that run before the method chooses, as keyword arguments of `detreduce.select`.
    recipe
        The recipe of the training, as a dict without default values. None if the cell does not train with a recipe.

    A cell with a recipe for all images has the method ``recipe``. Its `keep` is the number of images seen, expressed as
    a keep. The control ``full_equal_iterations`` with the same `keep` sees the same number of images.
    """

    key: str
    method: str
    training_seed: int
    control: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    keep: float | int = 1.0
    selection_seed: int | None = None
    composition: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] | None = None

    @property
    def on_all(self) -> bool:
        """Whether the cell trains on all images."""
        return self.control in ON_ALL_IMAGES or self.method == RECIPE

    @property
    def parsed_recipe(self) -> Recipe | None:
        """The recipe of the cell as an object, or None."""
        return None if self.recipe is None else Recipe.model_validate(self.recipe)

    @property
    def chosen_keep(self) -> float | int:
        """The fraction or number of images that the method chooses.

        If the cell has a recipe with a subset, this is the keep of the subset. Otherwise, it is `keep`.
        """
        recipe = self.parsed_recipe
        return recipe.subset.count if recipe is not None and recipe.subset is not None else self.keep

    @property
    def chooser(self) -> str:
        """Name of the method that chooses the images.

        For a control, it is the method that the control uses, for example ``srs`` for the control ``random``.
        """
        control = CONTROLS.get(self.control or "")
        return control.chooser if control and control.chooser else self.method

    @property
    def label(self) -> str:
        """Name of the cell in tables: the name of its recipe, or its method with parameters, such as
        ``mms(start=center)``.
        """
        if (recipe := self.parsed_recipe) is not None:
            return recipe.label
        return make_label(self.method, self.parameters, self.composition)

    @property
    def drops_by_features(self) -> bool:
        """Whether the cell leaves out near-duplicates that a comparison of features finds."""
        return CompositionRequest.of(**self.composition).by_features

    def request(self, categories: Any) -> SelectionRequest:
        """Return the request that chooses the images of this cell.

        `categories` is the experiment's rule for image categories. Random subsets are drawn without categories.
        """
        return SelectionRequest(
            method=self.chooser,
            keep=self.chosen_keep,
            seed=self.selection_seed or 0,
            categories=None if self.control in RANDOM_METHODS else categories,
            composition=CompositionRequest.of(**self.composition),
            parameters=with_former_defaults(self.method, self.parameters),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the cell as a dict that can be written as JSON."""
        content = asdict(self)
        if self.recipe is None:
            # the first ledgers had no recipes: write the same JSON as then
            del content["recipe"]
        return content


@dataclass(frozen=True, slots=True)
class Identity:
    """Hashes of the inputs of an experiment.

    Attributes
    ----------
    data
        Hash of the images and annotations of all splits.
    model, features
        Hash of the model's weights, and hash of the features.
    proxy
        Hash of the proxy training. Empty if there is no proxy.
    """

    data: str
    model: str
    features: str
    proxy: str = ""


def training_arguments(config: ExperimentConfig, *, images: int, classes: int) -> dict[str, Any]:
    """Return the ultralytics arguments that all cells of an experiment share.

    The arguments come from the YAML. The optimiser "auto" is replaced by the optimiser that ultralytics would choose
    for the full set. Therefore all cells use the same optimiser.

    If the control ``full_equal_iterations`` is trained, ``nbs`` is set to ``batch``, so that every batch is an
    optimiser step. With ultralytics' default ``nbs``, a training on a small subset would take very few optimiser steps.
    With ``choose: best``, the patience is set so that no cell stops early. If the YAML sets ``nbs`` or ``patience``,
    its value is used.
    """
    given = dict(config.train.arguments)
    if EQUAL_ITERATIONS in config.controls:
        given.setdefault("nbs", int(given.get("batch", 16)))
    if config.evaluate.choose == "best":
        # otherwise early stopping would end each cell after a different number of steps
        given.setdefault("patience", int(given.get("epochs", 100)))
    return {**given, **resolve_optimiser(given, images=images, classes=classes)}


def make_plan(config: ExperimentConfig, identity: Identity, arguments: dict[str, Any]) -> list[Cell]:
    """Return all cells of an experiment, without repetitions and with the controls first.

    `arguments` are the ultralytics arguments of every cell. Selection seed i is combined with training seed i, and the
    shorter list of seeds is repeated. A deterministic method has one selection for all training seeds. The hash of a
    cell covers only what the cell uses. For example, a change of the features does not change the hash of a control. A
    change of the country changes the CO2, but not the hash.
    """
    training: dict[str, Any] = {
        "train": arguments,
        "evaluate": config.evaluate.identity(),
        "data": identity.data,
        "model": identity.model,
    }
    cells = [cell for control in config.controls for cell in _control_cells(config, training, control)]
    for method in config.reduce.methods:
        cells += _method_cells(config, identity, training, method)
    for recipe in config.recipes:
        cells += _recipe_cells(config, identity, training, recipe)
    return list({cell.key: cell for cell in cells}.values())


def _method_cells(
    config: ExperimentConfig, identity: Identity, training: Mapping[str, Any], method: MethodConfig
) -> list[Cell]:
    """Return the cells of a method: one for every keep and every pair of seeds.

    `training` contains everything that affects all cells of the experiment.
    """
    drawn, context = _choice(config, identity, method)
    reducer = make_reducer(method.name, **method.parameters)
    pairs = seed_pairs(config.reduce.seeds, config.train.seeds, deterministic=reducer.deterministic)
    return [
        _with_key(
            replace(drawn, keep=keep, selection_seed=selection_seed, training_seed=training_seed),
            {**training, **context},
        )
        for keep in config.reduce.keeps
        for selection_seed, training_seed in pairs
    ]


def _recipe_cells(
    config: ExperimentConfig, identity: Identity, training: Mapping[str, Any], recipe: Recipe
) -> list[Cell]:
    """Return the cells of a recipe: one for every training seed, or for every pair of seeds if the recipe has a
    subset.
    """
    drawn, context = Cell("", RECIPE, 0), dict[str, Any]()
    pairs: list[tuple[int | None, int]] = [(None, seed) for seed in config.train.seeds]
    if recipe.subset is not None:
        drawn, context = _choice(config, identity, recipe.subset)
        reducer = make_reducer(recipe.subset.name, **recipe.subset.parameters)
        # if the YAML has no section `reduce`, the training seeds are also used as selection seeds
        drawn_anew = not config.reduce.methods and not reducer.deterministic
        seeds = config.train.seeds if drawn_anew else config.reduce.seeds
        pairs = [*seed_pairs(seeds, config.train.seeds, deterministic=reducer.deterministic)]
    budget = recipe.budget(int(config.train.arguments.get("epochs") or EPOCHS))
    cell = replace(drawn, keep=budget, recipe=recipe.to_dict())
    return [
        _with_key(
            replace(cell, selection_seed=selection_seed, training_seed=training_seed),
            {**training, **context, "recipe": recipe.identity()},
        )
        for selection_seed, training_seed in dict.fromkeys(pairs)
    ]


def _choice(config: ExperimentConfig, identity: Identity, method: MethodConfig) -> tuple[Cell, dict[str, Any]]:
    """Return a template for the cells of a method, and the inputs on which its selections depend.

    The template is a cell without a key, a keep and seeds. The inputs are hashes and settings, which become part of the
    key.
    """
    reducer = make_reducer(method.name, **method.parameters)
    context: dict[str, Any] = {}
    composition = method.composition(config.reduce)
    if uses_features(method.name, composition) or config.features.detector is not None:
        context["features"] = identity.features
    if any(name in reducer.needs for name in PROXY_BLOCKS):
        context["proxy"] = identity.proxy
    if reducer.uses_categories:
        context["categories"] = config.reduce.categories
    if composition:
        context["composition"] = composition
    return Cell("", method.name, 0, parameters=changed_parameters(reducer), composition=composition), context


def _control_cells(config: ExperimentConfig, context: dict[str, Any], name: str) -> list[Cell]:
    """Return the cells of a control: one for every keep and training seed. The control `full` has only the keep 1.0.

    `context` contains everything that affects all cells of the experiment.
    """
    control = CONTROLS[name]
    drawn = control.chooser is not None and not reducer_class(control.chooser).deterministic
    keeps = [1.0] if control.role is Role.FULL else config.reduce.keeps
    if control.role is Role.EQUAL_STEPS:
        keeps = _with_budgets(config)
    pairs = seed_pairs(config.reduce.seeds, config.train.seeds, deterministic=not drawn)
    return [
        _with_key(Cell("", name, training_seed, name, keep=keep, selection_seed=selected), context)
        for keep in keeps
        for selection_seed, training_seed in pairs
        for selected in [selection_seed if control.chooser else None]
    ]


def _with_budgets(config: ExperimentConfig) -> list[float | int]:
    """Return the keeps at which the equal-steps control is trained.

    These are the keeps of the experiment, and one keep for each recipe. At this keep, the control sees the same number
    of images as the recipe. If this keep is 1.0 and the experiment has the control ``full``, it is left out, because
    ``full`` sees this number of images too.
    """
    epochs = int(config.train.arguments.get("epochs") or EPOCHS)
    budgets = [recipe.budget(epochs) for recipe in config.recipes]
    has_full = FULL in config.controls
    others = [budget for budget in budgets if not (has_full and isinstance(budget, float) and budget == 1.0)]
    return list({keep_key(keep): keep for keep in [*config.reduce.keeps, *others]}.values())


def uses_features(method: str, composition: Mapping[str, Any]) -> bool:
    """Return whether a cell needs image features, either for its method or for the search for near-duplicates."""
    return FEATURES in kinds_of(reducer_class(method).needs) or CompositionRequest.of(**composition).by_features


def changed_parameters(reducer: BaseReducer) -> dict[str, Any]:
    """Return the parameters of a reducer that differ from its defaults.

    `keep` and `random_state` are left out, because cells have fields for the keep and the seed.
    """
    # compare with the former defaults, so that the keys of old ledgers stay valid
    defaults = type(reducer)().get_params() | with_former_defaults(reducer.name, {})
    own = reducer.get_params()
    return {
        name: value
        for name, value in own.items()
        if name not in ("keep", "random_state") and repr(value) != repr(defaults[name])
    }


def seed_pairs(selection: list[int], training: list[int], *, deterministic: bool) -> list[tuple[int, int]]:
    """Return one pair (selection seed, training seed) for each training of a method, without repetitions.

    Selection seed i is combined with training seed i, and the shorter list is repeated. For example, the selection
    seeds [0, 1] and the training seeds [0] give (0, 0) and (1, 0). A deterministic method chooses the same images for
    every seed, so only the first selection seed is used.
    """
    count = len(training) if deterministic else max(len(selection), len(training))
    pairs = [
        (selection[0 if deterministic else index % len(selection)], training[index % len(training)])
        for index in range(count)
    ]
    return list(dict.fromkeys(pairs))


def _with_key(cell: Cell, context: dict[str, Any]) -> Cell:
    """Return a copy of the cell with its `key`.

    `context` contains everything that affects the result, except the fields of the cell.
    """
    own = {
        "method": cell.method,
        "control": cell.control,
        "parameters": cell.parameters,
        "keep": f"{type(cell.keep).__name__} {cell.keep!r}",
        "selection_seed": cell.selection_seed,
        "training_seed": cell.training_seed,
    }
    digest = json_hash([own, context])[:10]
    parts = [cell.method] if cell.control == FULL else [cell.method, f"keep{cell.keep}"]
    if cell.selection_seed is not None:
        parts.append(f"s{cell.selection_seed}")
    return replace(cell, key="-".join([*parts, f"t{cell.training_seed}", digest]))
