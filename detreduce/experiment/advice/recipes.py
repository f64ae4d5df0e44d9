"""Recipes: which method, keep, settings and number of epochs to train with.

The expected mAP comes from a surface fitted to the finished cells (`detreduce.experiment.advice.surface`). The expected
energy, operations and time come from the same cells (`detreduce.experiment.advice.costs`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError
from detreduce.experiment.advice.answer import Advice, Effect, PlannedRecipe
from detreduce.experiment.advice.costs import MINUTES, TFLOPS, WH, Costs
from detreduce.experiment.advice.settings import Setting
from detreduce.experiment.advice.surface import MISFIT, Surface, configurations, fit_surface
from detreduce.vocabulary.controls import FULL, RANDOM_METHODS
from detreduce.vocabulary.measures import ACCURACIES

FloatArray = npt.NDArray[np.float64]

KEEPS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
EPOCHS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0)
"""Numbers of epochs to try, divided by the most common number of epochs among the cells on all images."""
INTERVAL = (0.05, 0.95)


@dataclass(frozen=True)
class Question:
    """The question that `advise` answers.

    Attributes
    ----------
    target
        mAP to reach, divided by the mAP of a training on all images; None for a question about a budget.
    cost
        The cost that is limited, or that recipes are ordered by.
    budget
        The largest cost; infinite for a question about a target.
    measure, confidence
        The mAP, and the smallest acceptable probability that a recipe reaches the target.
    """

    target: float | None
    cost: str
    budget: float
    measure: str
    confidence: float


def advise(
    rows: Iterable[Mapping[str, Any]],
    *,
    target: float | None = None,
    budget_wh: float | None = None,
    budget_tflops: float | None = None,
    minutes: float | None = None,
    measure: str = "mAP50_95",
    confidence: float = 0.5,
    others: int = 4,
) -> Advice:
    """Find the cheapest recipe that reaches a target mAP, or the best recipe within a budget.

    Parameters
    ----------
    rows
        Tidy rows of finished cells of one dataset and model, including ``full``. Rows of recipes have a ``setting``
        (see `detreduce.experiment.advice.comparable.rows_with_recipes`).
    target
        mAP to reach, divided by the mAP of a training on all images: above 0, at most 2.
    budget_wh, budget_tflops, minutes
        Largest energy in Wh, operations in TFLOPs, or time in minutes, of one training together with choosing. The
        operations of choosing are not counted.
    measure
        ``mAP50_95`` or ``mAP50``.
    confidence
        Smallest acceptable probability that the recipe reaches the target.
    others
        Largest number of further recipes to return.

    Raises
    ------
    InputError
        Neither a target nor a budget is given, or several are given. A value is out of range. There are too few cells,
        or the mAP on all images is (nearly) 0.
    """
    rows = list(rows)
    question = _question(target, {"budget_wh": budget_wh, "budget_tflops": budget_tflops, "minutes": minutes}, measure)
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} is not between 0 and 1: use for example 0.5.")
    question = Question(question.target, question.cost, question.budget, measure, confidence)
    whole = _whole(rows, measure)
    total = int(whole[0]["images"])
    # the most common number of epochs; if two numbers are equally common, the larger number
    lengths = Counter(int(row["epochs"]) for row in whole)
    epochs = max(lengths, key=lambda count: (lengths[count], count))
    found = configurations(rows, measure)
    model = _Model.of(rows, fit_surface(found, total, reference=whole[0].get("setting")))
    _check_known(model.costs, question.cost)
    goal = None if target is None else target * model.surface.means(FULL, total, total * epochs)
    recipes = [model.recipe(goal, *one) for one in _candidates(model, rows, total, epochs)]
    full = next(item for item in recipes if (item.images, item.epochs, item.settings) == (total, epochs, ()))
    ordered = order(recipes, question)
    best = ordered[0] if ordered else None
    first_of = {(recipe.method, recipe.settings): recipe for recipe in reversed(ordered)}
    rest = [recipe for recipe in ordered[1:] if recipe is first_of[recipe.method, recipe.settings]]
    surer, share = _surer(model, best, full, target or 1.0, recipes) if best else (None, 0.0)
    costs = [cost for recipe in recipes if (cost := recipe.least(question.cost)) is not None]
    return Advice(
        full,
        best,
        tuple(rest[:others]),
        surer,
        share,
        measure,
        len(found),
        model.surface.misfit,
        model.surface.run_spread,
        question.cost,
        min(costs),
        max(costs),
        model.costs.note,
        _effects(model.surface),
    )


def _question(target: float | None, budgets: Mapping[str, float | None], measure: str) -> Question:
    """Return the question. Raise InputError for wrong arguments of `advise`."""
    given = {name: value for name, value in budgets.items() if value is not None}
    if len(given) + (target is not None) != 1:
        raise InputError(
            "Pass either a target (a fraction of the full mAP, for example 0.95) or one budget: in Wh, TFLOPs or "
            "minutes."
        )
    if target is not None and not 0 < target <= 2:
        raise InputError(f"target={target} is not above 0 and at most 2: use a fraction of full mAP, such as 0.95.")
    units = {"budget_wh": WH, "budget_tflops": TFLOPS, "minutes": MINUTES}
    for name, value in given.items():
        if not value > 0:
            raise InputError(f"{name}={value} is not above 0: use a number of {units[name]}, for example 50.")
    if measure not in ("mAP50", "mAP50_95"):
        raise InputError(f"measure={measure!r} is not known: use mAP50 or mAP50_95.")
    name, budget = next(iter(given.items()), ("budget_wh", float("inf")))
    return Question(target, units[name], budget, measure, 0.5)


def _whole(rows: Sequence[Mapping[str, Any]], measure: str) -> list[Mapping[str, Any]]:
    """Return the rows of trainings on all images. Raise InputError if there are none, or if their mAP is nearly 0."""
    whole = [row for row in rows if row.get("control") == FULL and row.get(measure) is not None]
    if not whole:
        raise InputError("No finished cell trained on all images: add `controls: [full]` to the experiment and run it.")
    if max(float(row[measure]) for row in whole) < MISFIT:
        raise InputError(
            f"{ACCURACIES[measure]} on all images is below {MISFIT} in every finished training, too low to plan from: "
            "train for more epochs."
        )
    return whole


def _check_known(costs: Costs, cost: str) -> None:
    """Raise InputError if no finished cell shows a cost."""
    known = costs.operations if cost == TFLOPS else costs.lines[cost]
    if known:
        return
    if cost == WH:
        raise InputError(
            "No finished cell has a known energy, but a recipe needs it. Run cells on a machine whose energy "
            "can be measured or modelled, or use a budget in TFLOPs or minutes."
        )
    raise InputError(f"No finished cell has known {cost}. Use another budget.")


@dataclass(frozen=True)
class _Model:
    """The mAP and the costs of recipes, estimated from the finished cells.

    Attributes
    ----------
    surface, costs
        The expected mAP, and the expected cost.
    settings
        The settings of the finished cells. The first is the reference: the setting of the trainings without a recipe.
        It is None if all cells have the same setting.
    """

    surface: Surface
    costs: Costs
    settings: tuple[Setting | None, ...]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], surface: Surface) -> _Model:
        """Return the model of finished cells. `rows` are their tidy rows, and `surface` is fitted to these rows."""
        reference = surface.factors.reference
        known = {row["setting"] for row in rows if row.get("setting") is not None} - {reference}
        return cls(surface, Costs.of(rows, reference), (reference, *sorted(known)))

    @property
    def combined(self) -> list[Setting | None]:
        """All combinations of the batches, image sizes and frozen layers of the finished cells, the reference first."""
        known = [setting for setting in self.settings if setting is not None]
        batches = dict.fromkeys((setting.batch, setting.nbs) for setting in known)
        sizes = dict.fromkeys(setting.imgsz for setting in known)
        freezes = dict.fromkeys(setting.freeze for setting in known)
        found = product(batches, sizes, freezes)
        return [Setting(batch, nbs, size, freeze) for (batch, nbs), size, freeze in found] or [None]

    def recipe(
        self, goal: FloatArray | None, method: str, images: int, epochs: int, setting: Setting | None
    ) -> PlannedRecipe:
        """Return a recipe with its expected mAP and costs. `goal` has the mAP to reach in each posterior sample."""
        seen, reference = images * epochs, self.surface.factors.reference
        means = self.surface.means(method, images, seen, setting)
        low, high = np.quantile(self.surface.runs(method, images, seen, setting=setting), INTERVAL).clip(0.0, 1.0)
        return PlannedRecipe(
            method,
            images / self.surface.total,
            images,
            epochs,
            float(means.mean()),
            float(low),
            float(high),
            float("nan") if goal is None else float((means >= goal).mean()),
            self.costs.of_training(WH, seen, setting),
            self.costs.of_choosing(method, images),
            self.costs.of_training(TFLOPS, seen, setting),
            self.costs.of_training(MINUTES, seen, setting),
            self.costs.of_choosing(method, images, MINUTES),
            () if setting is None or reference is None else tuple(setting.changes(reference).items()),
        )


def _candidates(
    model: _Model, rows: Sequence[Mapping[str, Any]], total: int, epochs: int
) -> list[tuple[str, int, int, Setting | None]]:
    """Return the recipes to compare as (method, images, epochs, setting): a grid within or near the finished cells."""
    labels = {str(row["label"]) for row in rows}
    random = next((name for name in RANDOM_METHODS if name in labels), RANDOM_METHODS[0])
    least = min(int(row["images"]) for row in rows)
    images = sorted({max(1, round(keep * total)) for keep in KEEPS} | {int(row["images"]) for row in rows} - {total})
    counts = sorted({max(1, round(share * epochs)) for share in EPOCHS})
    names = [random, *model.surface.methods]
    reduced = [
        (name, k, count, setting)
        for setting in model.settings
        for name in names
        for k in images
        if least <= k < total
        for count in counts
    ]
    return [*reduced, *((FULL, total, count, setting) for setting in model.combined for count in counts)]


def order(recipes: Sequence[PlannedRecipe], question: Question) -> list[PlannedRecipe]:
    """Return the recipes that fit the budget, best first. Without a budget, return the recipes that reach the target.

    Recipes whose cost of choosing is not known come last. A recipe without a known cost of training fits no budget.
    """
    cost = question.cost

    def least(recipe: PlannedRecipe) -> float:
        found = recipe.least(cost)
        return float("inf") if found is None else found

    if question.target is None:
        affordable = [recipe for recipe in recipes if least(recipe) <= question.budget]
        return sorted(affordable, key=lambda item: (item.total(cost) is None, -item.expected, least(item)))
    enough = [recipe for recipe in recipes if recipe.chance >= question.confidence]
    return sorted(enough, key=lambda item: (item.total(cost) is None, least(item), -item.expected))


def _effects(surface: Surface) -> tuple[Effect, ...]:
    """Return the effect of each setting that varies among the finished cells."""
    factors, reference = surface.factors, surface.factors.reference
    if reference is None:
        return ()
    tried = [("batch", step, reference.step) for step in factors.steps]
    tried += [("imgsz", size, reference.imgsz) for size in factors.sizes]
    tried += [("freeze", freeze, reference.freeze) for freeze in factors.freezes]
    found = []
    for key, value, before in tried:
        times = surface.worth(reference.changed([(key, value)]))
        low, high = np.quantile(times, INTERVAL)
        found.append(Effect(key, value, before, float(np.median(times)), float(low), float(high)))
    return tuple(found)


def _surer(
    model: _Model, best: PlannedRecipe, full: PlannedRecipe, target: float, recipes: Sequence[PlannedRecipe]
) -> tuple[PlannedRecipe | None, float]:
    """Return the training that would make the advice most certain, and the fraction of the variance that it removes.

    The variance refers to (mAP of `best`) - `target` * (mAP of `full`).
    """
    surface, reference = model.surface, model.surface.factors.reference

    def draws(recipe: PlannedRecipe) -> FloatArray:
        setting = None if reference is None else reference.changed(recipe.settings)
        means = surface.means(recipe.method, recipe.images, recipe.images * recipe.epochs, setting)
        return np.asarray(means - means.mean(), np.float64)

    wanted = draws(best) - target * draws(full)
    variance = float((wanted**2).mean())
    if not variance:
        return None, 0.0
    noise = surface.misfit**2 + surface.run_spread**2

    def share(recipe: PlannedRecipe) -> float:
        own = draws(recipe)
        return float((wanted * own).mean() ** 2 / (variance * ((own**2).mean() + noise)))

    tried = [recipe for recipe in recipes if recipe.epochs <= full.epochs]
    shares = [share(recipe) for recipe in tried]
    place = int(np.argmax(shares))
    return tried[place], shares[place]
