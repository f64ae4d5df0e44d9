"""Check everything about a tuning that can be checked before its first training."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from detreduce.dataset.health.counts import load_all_splits
from detreduce.dataset.health.leaks import find_leaks, refuse_leaks
from detreduce.dataset.load import load_dataset, load_split
from detreduce.dataset.records import DetectionDataset
from detreduce.display.listener import say
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.advice.costs import TFLOPS
from detreduce.experiment.config import ExperimentConfig, parse_config
from detreduce.experiment.ledger.identity import data_identity, file_identity
from detreduce.experiment.searches.clean_train import drop_leaks
from detreduce.experiment.tuning.judge import Judge, find_judge
from detreduce.experiment.tuning.lengths import ImageCosts, Training, images_seen, possible_lengths
from detreduce.experiment.tuning.prices import Budget, Prices, estimated, operations
from detreduce.experiment.tuning.space import Given, Recipes, default_recipes, read_recipes
from detreduce.machine.hashes import json_hash
from detreduce.training.energy import check_country
from detreduce.training.planned_flops import PlannedNetwork, Speed
from detreduce.training.recipes.checks import check_freeze, check_recipe
from detreduce.training.recipes.recipe import Recipe
from detreduce.training.recipes.settings import BATCH, EPOCHS, IMGSZ
from detreduce.training.run.arguments import check_arguments
from detreduce.training.run.model import find_model
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics
from detreduce.vocabulary.measures import MAIN_ACCURACY

MEASURE = MAIN_ACCURACY


@dataclass(frozen=True)
class TuningRequest:
    """The arguments of `tune`. The docstring of `tune` explains them. `arguments` are the arguments for ultralytics."""

    data: str | Path
    model: str | Path
    budget: Budget
    recipes: Recipes | None = None
    output: str | Path | None = None
    seed: int = 0
    country: str = "ESP"
    allow_leaks: bool = False
    drop_leaked: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setup:
    """A tuning whose arguments have been checked.

    Attributes
    ----------
    request
        The arguments of `tune`.
    dataset
        The train split that the trainings use.
    source
        The path of the user's dataset.
    judge
        The images on which trainings are evaluated to choose among recipes.
    recipes
        Label -> recipe. The first one is the user's own settings.
    network
        The network of the model. It is used to compute operations and to measure the speed of this machine.
    """

    request: TuningRequest
    dataset: DetectionDataset
    source: str
    judge: Judge
    recipes: Mapping[str, Recipe]
    network: PlannedNetwork

    @property
    def training(self) -> Training:
        """The training without a recipe."""
        given = self.request.arguments
        return Training(len(self.dataset), int(given.get("epochs") or EPOCHS), int(given.get("batch") or BATCH))

    @cached_property
    def costs(self) -> ImageCosts:
        """The number of operations for one image, without a recipe and with each recipe."""
        known: dict[str, float] = {}

        def count(recipe: Recipe) -> float:
            """Return the operations for one training image of a recipe, in units of 10^12."""
            size, freeze = self._size_and_freeze(recipe)
            key = repr((size, freeze))
            if key not in known:
                found = self.network.flops(size, freeze)
                known[key] = (found.forward + found.backward) / 1e12
            return known[key]

        return ImageCosts(count(Recipe()), {label: count(recipe) for label, recipe in self.recipes.items()})

    @cached_property
    def lengths(self) -> list[int]:
        """The lengths that a rung can have, as numbers of images seen without a recipe."""
        return possible_lengths(list(self.recipes.values()), self.training, self.costs)

    @cached_property
    def estimate(self) -> Prices:
        """The expected cost of a training, before any training is finished."""
        return self.estimate_in(self.request.budget.unit)

    def estimate_in(self, unit: str) -> Prices:
        """Return the expected cost of a training in a unit, before any training is finished."""
        each = self.costs.reference
        if unit == TFLOPS:
            return operations(each, self._operations)
        size, freeze = self._size_and_freeze(Recipe())
        judged = len(load_split(self.dataset.source, "val"))
        evaluation = judged * self.network.flops(size, freeze).forward / 1e12
        return estimated(unit, each, self.speed, evaluation)

    @cached_property
    def speed(self) -> Speed:
        """The cost of operations on this machine, from a test of a few seconds."""
        request, (size, freeze) = self.request, self._size_and_freeze(Recipe())
        return self.network.speed(size, freeze, country=request.country, device=request.arguments.get("device"))

    @cached_property
    def identity(self) -> str:
        """A hash of everything that affects the trainings."""
        request = self.request
        recipes = [
            [label, recipe.identity(), None if recipe.subset is None else recipe.subset.model_dump(mode="json")]
            for label, recipe in self.recipes.items()
        ]
        own = [request.arguments, recipes, request.seed, self.judge.held_out, self.judge.confirm]
        return json_hash([data_identity(self.dataset), file_identity(find_model(request.model)), own])

    def at_length(self, label: str, length: int) -> Recipe:
        """Return the recipe with this label, for a training of this length.

        The recipe gets a number of images seen. With this number, its training needs the same operations as a training
        that sees `length` images without a recipe.
        """
        recipe = self.recipes[label]
        seen = images_seen(recipe, length, self.training, self.costs)
        # name the recipe after its label, so that its name in tables does not depend on its length
        return recipe.model_copy(update={"images_seen": seen, "name": label})

    def experiment(
        self, recipes: Sequence[Recipe], seeds: Sequence[int], split: Literal["val", "test"]
    ) -> ExperimentConfig:
        """Return the experiment that trains these recipes with these seeds and evaluates them on a split."""
        request = self.request
        content = {
            "name": _name(self.source),
            "dataset": self.judge.data,
            "recipes": [recipe.to_dict() for recipe in recipes],
            "train": {**request.arguments, "model": str(request.model), "seeds": list(seeds)},
            "evaluate": {"on": split, "choose": "last"},
            "controls": [],
            "energy": {"country": request.country},
            # the leaks of the user's dataset were checked before
            "allow_leaks": True if self.judge.held_out else request.allow_leaks,
        }
        return parse_config(content, beside=Path.cwd(), file="tune")

    def _operations(self, label: str, length: int) -> float:
        """Return the operations of a training with a recipe at a length, in units of 10^12."""
        return images_seen(self.recipes[label], length, self.training, self.costs) * self.costs.of[label]

    def _size_and_freeze(self, recipe: Recipe) -> tuple[int, int | list[int] | None]:
        """Return the image size and the frozen layers of a training with a recipe."""
        given = self.request.arguments
        size = recipe.imgsz or given.get("imgsz") or IMGSZ
        freeze = given.get("freeze") if recipe.freeze is None else recipe.freeze
        return int(max(size) if isinstance(size, list | tuple) else size), freeze


def set_up(request: TuningRequest) -> Setup:
    """Check the arguments of a tuning without training. Raise InputError, which says what is wrong and what to do."""
    quiet_ultralytics()
    check_country(request.country)
    _check_seed(request.seed)
    _check_arguments(request.arguments)
    given = load_dataset(request.data, split="train")
    if not request.allow_leaks and not request.drop_leaked:
        refuse_leaks(
            given, find_leaks(load_all_splits(given)[0]), "Leave them out of all trainings (add --drop-leaked)"
        )
    network = PlannedNetwork(str(request.model), len(given.class_names))
    if request.arguments.get("freeze") is not None:
        check_freeze(request.arguments["freeze"], network.layers, str(request.model))
    # read the user's list of recipes before anything that takes long
    wanted = None if request.recipes is None else read_recipes(request.recipes)
    judge, dataset = _judge(given, request)
    if wanted is None:
        wanted = default_recipes(Given(request.arguments, dataset, str(request.model), network.layers))
    if len(wanted) < 2:
        raise InputError("There is only one recipe, so there is nothing to choose. Name recipes with --recipes.")
    _check_recipes(wanted, request, dataset)
    return Setup(request, dataset, str(given.source.typed), judge, {recipe.label: recipe for recipe in wanted}, network)


def default_output(data: str | Path) -> Path:
    """Return the default folder for the ledger of a tuning on this dataset."""
    return Path("runs") / f"tune-{_name(str(data))}"


def _judge(given: DetectionDataset, request: TuningRequest) -> tuple[Judge, DetectionDataset]:
    """Return the images that choose among recipes, and the train split that the trainings use.

    If `drop_leaked` is set, the train split has no image of val or test. If val was held out of train, near-duplicates
    of its images are always left out of train. Otherwise train and val could have frames of the same video.
    """
    judge = find_judge(given, request.seed)
    if not judge.held_out and not request.drop_leaked:
        return judge, given
    config = parse_config(
        {
            "name": "held",
            "dataset": judge.data,
            "recipes": [{"batch": 1}],
            "train": {"model": str(request.model)},
            "reduce": {"drop_leaked": True},
        },
        beside=Path.cwd(),
        file="tune",
    )
    clean, dataset, dropped = drop_leaks(config, load_dataset(judge.data, split="train"))
    if dropped is not None and dropped.images and not judge.held_out:
        say(dropped.line)
    return Judge(clean.dataset, judge.held_out, judge.confirm), dataset


def _check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise InputError if ultralytics does not accept the arguments, or if they would make trainings incomparable."""
    check_arguments(arguments)
    batch = arguments.get("batch", BATCH)
    if batch is None or batch < 1:
        raise InputError(f"batch={batch!r} is not a number of images, which a tuning needs. Use for example batch=16.")
    if arguments.get("time"):
        raise InputError(f"time={arguments['time']!r} would stop each training at another step. Set epochs instead.")


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed={seed!r} is not a whole number of at least 0.")


def _check_recipes(recipes: Sequence[Recipe], request: TuningRequest, dataset: DetectionDataset) -> None:
    """Raise one InputError that lists all recipes that cannot be trained, with the reasons."""
    faults = []
    for recipe in recipes:
        try:
            check_recipe(recipe, request.arguments, dataset, str(request.model))
        except DetreduceError as error:
            faults.append(f"The recipe {recipe.label} cannot be trained: {error}")
    if faults:
        raise InputError("\n".join(faults))


def _name(data: str) -> str:
    """Return a name for an experiment on this dataset. It has only letters, digits, ``_``, ``.`` and ``-``."""
    place = Path(data)
    name = place.resolve().parent.name if place.stem in {"data", "dataset"} else place.stem
    return re.sub(r"[^\w.-]", "-", name) or "data"
