"""Recommend recipes: which method, keep, settings and number of epochs to train with.

The expected mAP comes from a surface that is fitted to the finished cells (`detreduce.experiment.advice.surface`). The
expected energy, operations and time come from the same cells (`detreduce.experiment.advice.costs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.experiment.advice.answer import Effect, PlannedRecipe, Recommendation
from detreduce.experiment.advice.costs import MINUTES, TFLOPS, WH, Costs
from detreduce.experiment.advice.question import Question, with_known_cost
from detreduce.experiment.advice.reference import Reference
from detreduce.experiment.advice.settings import Setting
from detreduce.experiment.advice.surface import Configuration, Surface, configurations, fit_surface
from detreduce.vocabulary.controls import FULL, ON_ALL_IMAGES, RANDOM_METHODS

FloatArray = npt.NDArray[np.float64]

KEEPS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
EPOCHS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0)
"""Numbers of epochs to try, as multiples of the most common number of epochs (see `Reference`)."""
SEEN = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0)
"""Images seen to try if no training ``full`` is finished, as multiples of the most that a finished training saw."""
INTERVAL = (0.05, 0.95)
OTHERS = 4
"""The maximum number of further recipes in an advice."""
WORTH_A_CELL = 0.1
"""The training ``full`` is proposed if it would remove at least this fraction of the variance of the answer."""


def recommend(rows: Iterable[Mapping[str, Any]], question: Question) -> Recommendation:
    """Find the cheapest recipe that reaches a target mAP, or the best recipe within a budget.

    Parameters
    ----------
    rows
        Tidy rows of finished cells of one dataset and model. Rows of recipes have a ``setting`` (see
        `detreduce.experiment.advice.comparable.rows_with_recipes`). The number of images in the full set is taken from
        a training on all images. If there is none, the rows need a column ``of`` with this number.
    question
        The target or the budget (see `ask`).

    Raises
    ------
    InputError
        There are too few cells, or their mAP is (nearly) 0. The question has a budget whose cost is not known.
    """
    rows = list(rows)
    known = Reference.of(rows, question.measure)
    found = configurations(rows, question.measure)
    model = _Model.of(rows, known, fit_surface(found, known.total, reference=known.setting), found)
    question, note = with_known_cost(question, model.costs)
    whole = _Candidate(FULL, known.total, known.epochs, known.setting)
    best_seen = None if known.has_full else model.best_of(found)
    reference = best_seen or whole
    goal = _goal(question, model.means(reference))
    recipes = [model.recipe(goal, one) for one in _candidates(model, rows, found)]
    ordered = order(recipes, question)
    best = ordered[0] if ordered else None
    first_of = {(recipe.method, recipe.settings): recipe for recipe in reversed(ordered)}
    rest = [recipe for recipe in ordered[1:] if recipe is first_of[recipe.method, recipe.settings]]
    full = model.recipe(goal, whole)
    doubt = None if best is None else model.doubt(best, reference, question)
    surer, share = (None, 0.0) if doubt is None else _surer(model, doubt, recipes)
    costs = [cost for recipe in recipes if (cost := recipe.least(question.cost)) is not None]
    advice = Recommendation(
        full if known.has_full else None,
        best,
        tuple(rest[:OTHERS]),
        surer,
        share,
        question.measure,
        len(found),
        model.surface.misfit,
        model.surface.run_spread,
        question.cost,
        min(costs),
        max(costs),
        note or model.costs.note,
        _effects(model.surface),
        known.epochs,
        None if best_seen is None else model.recipe(goal, best_seen),
        overlapped=model.costs.overlapped,
    )
    if known.has_full:
        return advice
    return _with_next_full(advice, question, full, 0.0 if doubt is None else model.share(doubt, full))


def _goal(question: Question, reference: FloatArray) -> FloatArray | None:
    """Return the mAP to reach, (S,) with one value for each posterior sample, or None if the question has a budget.

    `reference` is the (S,) mAP of the training that recipes are compared with.
    """
    if question.target_map is not None:
        return np.full(len(reference), question.target_map)
    return None if question.target is None else question.target * reference


def _with_next_full(advice: Recommendation, question: Question, full: PlannedRecipe, share: float) -> Recommendation:
    """Add the training `full` on all images to the advice, as `next_full`, if it would help to run this training.

    It helps in three cases:

    - The target is a fraction of the mAP of this training.
    - Longer trainings must be compared, because no recipe was found or the budget allows them.
    - It makes the answer more certain. `share` is the fraction of the variance of the answer that it would remove.
    """
    longer = advice.best is None or (not question.has_target and question.budget >= advice.most)
    helps = question.target is not None or longer or share >= WORTH_A_CELL
    return replace(advice, next_full=full if helps else None, full_by=share)


@dataclass(frozen=True)
class _Candidate:
    """A training to compare with others.

    `seen` is the number of images that go through the network. None means `images` times `epochs`.
    """

    method: str
    images: int
    epochs: int
    setting: Setting | None = None
    seen: int | None = None

    @property
    def images_seen(self) -> int:
        """The number of images that go through the network."""
        return self.images * self.epochs if self.seen is None else self.seen


@dataclass(frozen=True)
class _Model:
    """The mAP and the costs of trainings, estimated from the finished cells.

    Attributes
    ----------
    surface, costs
        The models of the mAP and of the costs.
    known
        The training that recipes are compared with, as far as the finished cells show it.
    settings
        The settings of the finished cells. The first element is the reference, which is the setting of the trainings
        reference. The reference is None if all cells have the same setting.
    measured
        The mean mAP of finished trainings: (method, images, images seen, setting) -> mAP.
    """

    surface: Surface
    costs: Costs
    known: Reference
    settings: tuple[Setting | None, ...]
    measured: Mapping[tuple[str, int, int, Setting | None], float]

    @classmethod
    def of(
        cls, rows: Sequence[Mapping[str, Any]], known: Reference, surface: Surface, found: Sequence[Configuration]
    ) -> _Model:
        """Create the model from the tidy rows of finished cells, their configurations, and a surface that was fitted
        to the same configurations.
        """
        reference = surface.factors.reference
        settings = {row["setting"] for row in rows if row.get("setting") is not None} - {reference}
        return cls(surface, Costs.of(rows, reference), known, (reference, *sorted(settings)), _measured(found))

    @property
    def combined(self) -> list[Setting | None]:
        """All combinations of the batches, image sizes and frozen layers of the finished cells. The first is the
        reference.
        """
        known = [setting for setting in self.settings if setting is not None]
        batches = dict.fromkeys((setting.batch, setting.nbs) for setting in known)
        sizes = dict.fromkeys(setting.imgsz for setting in known)
        freezes = dict.fromkeys(setting.freeze for setting in known)
        found = product(batches, sizes, freezes)
        return [Setting(batch, nbs, size, freeze) for (batch, nbs), size, freeze in found] or [None]

    def means(self, one: _Candidate) -> FloatArray:
        """Return the (S,) posterior samples of the mean mAP of a training."""
        return self.surface.means(one.method, one.images, one.images_seen, one.setting)

    def best_of(self, found: Iterable[Configuration]) -> _Candidate:
        """Return the finished training with the highest expected mAP."""
        trained = [_finished(item) for item in found]
        return max(trained, key=lambda one: float(self.means(one).mean()))

    def recipe(self, goal: FloatArray | None, one: _Candidate) -> PlannedRecipe:
        """Return a training as a recipe, with its expected mAP and costs.

        `goal` is the (S,) mAP to reach in each posterior sample, or None if there is no target.
        """
        seen, setting, reference = one.images_seen, one.setting, self.surface.factors.reference
        means = self.means(one)
        runs = self.surface.runs(one.method, one.images, seen, setting=setting)
        low, high = np.quantile(runs, INTERVAL).clip(0.0, 1.0)
        return PlannedRecipe(
            one.method,
            one.images / self.surface.total,
            one.images,
            one.epochs,
            float(means.mean()),
            float(low),
            float(high),
            float("nan") if goal is None else float((means >= goal).mean()),
            self.costs.of_training(WH, seen, setting),
            self.costs.of_choosing(one.method, one.images),
            self.costs.of_training(TFLOPS, seen, setting),
            self.costs.of_training(MINUTES, seen, setting),
            self.costs.of_choosing(one.method, one.images, MINUTES),
            () if setting is None or reference is None else tuple(setting.changes(reference).items()),
            one.seen,
            self.measured.get((one.method, one.images, seen, setting)),
        )

    def draws(self, recipe: PlannedRecipe) -> FloatArray:
        """Return the (S,) posterior samples of the mean mAP of a recipe, minus their mean."""
        reference = self.surface.factors.reference
        setting = None if reference is None else reference.changed(recipe.settings)
        means = self.surface.means(recipe.method, recipe.images, recipe.images_seen, setting)
        return np.asarray(means - means.mean(), np.float64)

    def doubt(self, best: PlannedRecipe, reference: _Candidate, question: Question) -> FloatArray:
        """Return (S,) posterior samples of the quantity whose uncertainty matters, minus their mean.

        - If the question has a `target`, this is (mAP of `best`) - target * (mAP of `reference`).
        - If it has a `target_map`, this is the mAP of `best`.
        - If it has a budget, this is (mAP of `best`) - (mAP of `reference`). If no training ``full`` is finished, it is
          the mAP of `best`.
        """
        if question.target_map is not None or (question.target is None and not self.known.has_full):
            return self.draws(best)
        means = self.means(reference)
        return self.draws(best) - (question.target or 1.0) * (means - means.mean())

    def share(self, doubt: FloatArray, recipe: PlannedRecipe) -> float:
        """Return the fraction of the variance of `doubt` that one more training with this recipe would remove."""
        variance = float((doubt**2).mean())
        if not variance:
            return 0.0
        own, noise = self.draws(recipe), self.surface.misfit**2 + self.surface.run_spread**2
        return float((doubt * own).mean() ** 2 / (variance * ((own**2).mean() + noise)))


def _measured(found: Sequence[Configuration]) -> dict[tuple[str, int, int, Setting | None], float]:
    """Return the mean mAP of the trainings of each configuration, with the keys of `_Model.measured`.

    A control on all images counts as ``full`` with its own number of images seen.
    """
    values: dict[tuple[str, int, int, Setting | None], list[float]] = {}
    for item in found:
        one = _finished(item)
        values.setdefault((one.method, one.images, one.images_seen, one.setting), []).extend(item.values)
    return {key: float(np.mean(own)) for key, own in values.items()}


def _finished(item: Configuration) -> _Candidate:
    """Convert the configuration of finished cells to a training to compare."""
    method = FULL if item.method in ON_ALL_IMAGES else item.method
    seen = round(item.images_seen)
    epochs = max(1, round(seen / item.images))
    return _Candidate(method, item.images, epochs, item.setting, None if seen == item.images * epochs else seen)


def _candidates(model: _Model, rows: Sequence[Mapping[str, Any]], found: Sequence[Configuration]) -> list[_Candidate]:
    """Return the trainings to compare: a grid that does not go far beyond the finished cells."""
    known = model.known
    labels = {str(row["label"]) for row in rows}
    random = next((name for name in RANDOM_METHODS if name in labels), RANDOM_METHODS[0])
    keeps = {max(1, round(keep * known.total)) for keep in KEEPS} | {int(row["images"]) for row in rows}
    counts = sorted({max(1, round(share * known.epochs)) for share in EPOCHS})
    reduced = [
        _Candidate(name, images, count, setting)
        for setting in model.settings
        for name in [random, *model.surface.methods]
        for images in sorted(keeps - {known.total})
        if known.least_images <= images < known.total
        for count in counts
    ]
    if known.has_full:
        return [*reduced, *(_Candidate(FULL, known.total, count, one) for one in model.combined for count in counts)]
    # nothing is known about trainings that are much longer than the finished ones
    near = [one for one in reduced if min(SEEN) * known.least_seen <= one.images_seen <= max(SEEN) * known.most_seen]
    lengths = sorted({round(share * known.most_seen) for share in SEEN})
    whole = [
        _Candidate(FULL, known.total, max(1, round(seen / known.total)), setting, seen)
        for setting in model.combined
        for seen in lengths
    ]
    return list(dict.fromkeys([*near, *whole, *map(_finished, found)]))


def order(recipes: Sequence[PlannedRecipe], question: Question) -> list[PlannedRecipe]:
    """Return the recipes that reach the target or fit the budget, with the best first.

    Recipes with an unknown cost of choosing come last. A recipe with an unknown cost of training fits no budget.
    """
    cost = question.cost

    def least(recipe: PlannedRecipe) -> float:
        """Return the cost of a recipe, or infinity if it is not known."""
        found = recipe.least(cost)
        return float("inf") if found is None else found

    if not question.has_target:
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


def _surer(model: _Model, doubt: FloatArray, recipes: Sequence[PlannedRecipe]) -> tuple[PlannedRecipe | None, float]:
    """Return the training that would remove most of the variance of `doubt`, and the fraction that it would remove.

    If `doubt` has no variance, return None and 0.
    """
    known = model.known
    if not (doubt**2).mean():
        return None, 0.0
    fits = [one.epochs <= known.epochs if known.has_full else one.images_seen <= known.most_seen for one in recipes]
    tried = [recipe for recipe, fit in zip(recipes, fits, strict=True) if fit]
    shares = [model.share(doubt, recipe) for recipe in tried]
    place = int(np.argmax(shares))
    return tried[place], shares[place]
