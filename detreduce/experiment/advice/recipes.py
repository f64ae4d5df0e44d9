"""Recipes: which method, keep and number of epochs to train with.

The expected mAP comes from a surface fitted to the finished cells (`detreduce.experiment.advice.surface`). The expected
energy comes from the energy of the same cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError
from detreduce.experiment.advice.surface import MISFIT, Surface, configurations, fit_surface
from detreduce.experiment.statistics.break_even import choosing_wh
from detreduce.machine.json_values import json_value
from detreduce.vocabulary.controls import FULL, RANDOM_METHODS
from detreduce.vocabulary.measures import ACCURACIES

FloatArray = npt.NDArray[np.float64]

KEEPS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
EPOCHS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0)
"""Numbers of epochs to try, divided by the most common number of epochs among the cells on all images."""
INTERVAL = (0.05, 0.95)
ALL_OVERLAPPED = (
    "Every finished cell overlapped another training on its machine, so its Wh include energy of the other training."
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to train, and its expected result.

    Attributes
    ----------
    method
        The label of the method. The label ``full`` means a training on all images.
    keep, images, epochs
        The fraction of images to keep, the number of images to keep, and the number of epochs.
    expected
        Expected mAP of one training.
    low, high
        Ends of the interval that contains the mAP of one training with probability 0.9.
    chance
        Probability that the mean mAP of this recipe reaches the target; NaN without a target.
    wh
        Expected energy of one training, in Wh.
    choosing_wh
        Expected energy of choosing the images once, in Wh; None if it is not known.
    """

    method: str
    keep: float
    images: int
    epochs: int
    expected: float
    low: float
    high: float
    chance: float
    wh: float
    choosing_wh: float | None

    @property
    def total_wh(self) -> float | None:
        """Energy of choosing and one training together, in Wh; None if the energy of choosing is not known."""
        return None if self.choosing_wh is None else self.wh + self.choosing_wh

    @property
    def least_wh(self) -> float:
        """Lower bound of the energy, in Wh: `total_wh` if it is known, otherwise the energy of training alone."""
        return self.wh + (self.choosing_wh or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a dict for JSON. Values that are not known are None."""
        return {name: json_value(value) for name, value in {**asdict(self), "total_wh": self.total_wh}.items()}


@dataclass(frozen=True)
class Advice:
    """The result of `advise`.

    Attributes
    ----------
    full
        The training on all images, with the number of epochs that is most common in the ledger.
    best
        The best recipe; None if no recipe is good enough or cheap enough.
    others
        The next best recipes: at most one recipe for each of the other methods.
    surer
        The training that would reduce the uncertainty of `best` most; None if there is no uncertainty to reduce.
    surer_by
        Fraction of the variance of `best` that `surer` would remove.
    measure
        The fitted measure: ``mAP50`` or ``mAP50_95``.
    configurations
        Number of configurations that the surface is fitted to. Cells of one configuration differ only in their seeds.
    misfit, run_spread
        Standard deviation of configurations around the surface, and standard deviation between runs of a configuration.
    energy_note
        Reason why the energy values are not exact or not complete. Empty if they are.
    least_wh, most_wh
        Energy of the cheapest and of the most expensive recipe that was compared, in Wh.
    """

    full: Recipe
    best: Recipe | None
    others: tuple[Recipe, ...]
    surer: Recipe | None
    surer_by: float
    measure: str
    configurations: int
    misfit: float
    run_spread: float
    energy_note: str = ""
    least_wh: float = 0.0
    most_wh: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the advice as a dict for JSON."""
        return {
            "measure": self.measure,
            "configurations": self.configurations,
            "misfit": self.misfit,
            "run_spread": self.run_spread,
            "full": self.full.to_dict(),
            "best": self.best.to_dict() if self.best else None,
            "others": [recipe.to_dict() for recipe in self.others],
            "surer": self.surer.to_dict() if self.surer else None,
            "surer_by": self.surer_by,
            "energy_note": self.energy_note,
            "least_wh": self.least_wh,
            "most_wh": self.most_wh,
        }


def advise(
    rows: Iterable[Mapping[str, Any]],
    *,
    target: float | None = None,
    budget_wh: float | None = None,
    measure: str = "mAP50_95",
    confidence: float = 0.5,
    others: int = 4,
) -> Advice:
    """Find the cheapest recipe that reaches a target mAP, or the best recipe within an energy budget.

    Parameters
    ----------
    rows
        Tidy rows of finished cells of one dataset and model, including ``full``.
    target
        mAP to reach, divided by the mAP of a training on all images: above 0, at most 2.
    budget_wh
        Largest energy of choosing and one training together, in Wh.
    measure
        ``mAP50_95`` or ``mAP50``.
    confidence
        Smallest acceptable probability that the recipe reaches the target.
    others
        Largest number of further recipes to return.

    Raises
    ------
    InputError
        `target` and `budget_wh` are both given or both missing, a value is out of range, there are too few cells, or
        the mAP on all images is (nearly) 0.
    """
    rows = list(rows)
    _check(target, budget_wh, measure, confidence)
    whole = [row for row in rows if row.get("control") == FULL and row.get(measure) is not None]
    if not whole:
        raise InputError("No finished cell trained on all images: add `controls: [full]` to the experiment and run it.")
    if max(float(row[measure]) for row in whole) < MISFIT:
        raise InputError(
            f"{ACCURACIES[measure]} on all images is below {MISFIT} in every finished training, too low to plan from: "
            "train for more epochs."
        )
    total = int(whole[0]["images"])
    # the most common number of epochs; if two numbers are equally common, the larger number
    lengths = Counter(int(row["epochs"]) for row in whole)
    epochs = max(lengths, key=lambda count: (lengths[count], count))
    found = configurations(rows, measure)
    surface = fit_surface(found, total)
    energy = _Energy.of(rows)
    goal = None if target is None else target * surface.means(FULL, total, total * epochs)
    recipes = [
        _recipe(surface, energy, goal, method, images, count)
        for method, images, count in _candidates(surface, rows, total, epochs)
    ]
    full = next(recipe for recipe in recipes if recipe.images == total and recipe.epochs == epochs)
    ordered = _ordered(recipes, budget_wh, confidence)
    best = ordered[0] if ordered else None
    first_of = {recipe.method: recipe for recipe in reversed(ordered)}
    rest = [recipe for recipe in ordered[1:] if recipe is first_of[recipe.method]]
    surer, share = _surer(surface, best, full, target or 1.0, recipes) if best else (None, 0.0)
    return Advice(
        full,
        best,
        tuple(rest[:others]),
        surer,
        share,
        measure,
        len(found),
        surface.misfit,
        surface.run_spread,
        energy.note,
        min(recipe.least_wh for recipe in recipes),
        max(recipe.least_wh for recipe in recipes),
    )


def _check(target: float | None, budget_wh: float | None, measure: str, confidence: float) -> None:
    """Raise InputError for wrong arguments of `advise`."""
    if (target is None) == (budget_wh is None):
        raise InputError("Pass either a target (a fraction of the full mAP, for example 0.95) or a budget in Wh.")
    if target is not None and not 0 < target <= 2:
        raise InputError(f"target={target} is not above 0 and at most 2: use a fraction of full mAP, such as 0.95.")
    if budget_wh is not None and not budget_wh > 0:
        raise InputError(f"budget_wh={budget_wh} is not above 0: use a number of Wh, for example 50.")
    if measure not in ("mAP50", "mAP50_95"):
        raise InputError(f"measure={measure!r} is not known: use mAP50 or mAP50_95.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} is not between 0 and 1: use for example 0.5.")


@dataclass(frozen=True)
class _Energy:
    """The expected energy of training and of choosing, from finished cells.

    Attributes
    ----------
    constant, per_image
        Energy of a training, in Wh: a constant part, and a part for each image seen.
    choosing
        Method -> number of images -> energy of choosing, in Wh.
    note
        Why these values are not exact or not complete. Empty if there is no such limit.
    """

    constant: float
    per_image: float
    choosing: Mapping[str, Mapping[int, float]]
    note: str = ""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> _Energy:
        """Fit the expected energy to tidy rows. Raise InputError if no row has a known energy."""
        from scipy.optimize import nnls

        known = [row for row in rows if row.get("Wh") is not None and row.get("images_seen")]
        # the measured energy of an overlapped cell includes energy of the other training
        alone = [row for row in known if not row.get("overlapped")]
        if not known:
            raise InputError(
                "No finished cell has a known energy, but a recipe needs it. Run cells on a machine whose energy "
                "can be measured or modelled."
            )
        note = "" if alone else ALL_OVERLAPPED
        known = alone or known
        seen = np.array([float(row["images_seen"]) for row in known])
        wh = np.array([float(row["Wh"]) for row in known])
        constant, per_image = nnls(np.column_stack([np.ones(len(seen)), seen]), wh)[0]
        groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
        for row in rows:
            groups.setdefault((str(row["label"]), int(row["images"])), []).append(row)
        choosing: dict[str, dict[int, float]] = {}
        for (name, images), group in groups.items():
            cost = choosing_wh(group)
            choosing.setdefault(name, {}).update({} if cost is None else {images: cost})
        if unknown := sorted({str(row["label"]) for row in rows} - {name for name, costs in choosing.items() if costs}):
            unmetered = f"The energy of choosing by {', '.join(unknown)} is not known, so these recipes come last."
            note = " ".join(filter(None, [note, unmetered]))
        return cls(float(constant), float(per_image), choosing, note)

    def of_choosing(self, method: str, images: int) -> float | None:
        """Return the expected energy of choosing `images` images with a method, in Wh. Return None if it is not known.

        Values between known keeps are interpolated.
        """
        costs = self.choosing.get(method)
        if costs is None and method in (FULL, *RANDOM_METHODS):
            # all images need no choosing, and a random choice takes too little energy to matter
            return 0.0
        if not costs:
            return None
        known = sorted(costs)
        return float(np.interp(images, known, [costs[count] for count in known]))


def _candidates(
    surface: Surface, rows: Sequence[Mapping[str, Any]], total: int, epochs: int
) -> list[tuple[str, int, int]]:
    """Return the triples (method, images, epochs) to compare: a grid within or near the range of the finished cells."""
    labels = {str(row["label"]) for row in rows}
    random = next((name for name in RANDOM_METHODS if name in labels), RANDOM_METHODS[0])
    least = min(int(row["images"]) for row in rows)
    images = sorted({max(1, round(keep * total)) for keep in KEEPS} | {int(row["images"]) for row in rows} - {total})
    counts = sorted({max(1, round(share * epochs)) for share in EPOCHS})
    names = [random, *surface.methods]
    reduced = [(name, k, count) for name in names for k in images if least <= k < total for count in counts]
    return [*reduced, *((FULL, total, count) for count in counts)]


def _recipe(
    surface: Surface, energy: _Energy, goal: FloatArray | None, method: str, images: int, epochs: int
) -> Recipe:
    """Return a recipe with its expected mAP and energy. `goal` has the mAP to reach in each posterior sample."""
    seen = images * epochs
    means, runs = surface.means(method, images, seen), surface.runs(method, images, seen)
    low, high = np.quantile(runs, INTERVAL).clip(0.0, 1.0)
    return Recipe(
        method,
        images / surface.total,
        images,
        epochs,
        float(means.mean()),
        float(low),
        float(high),
        float("nan") if goal is None else float((means >= goal).mean()),
        energy.constant + energy.per_image * seen,
        energy.of_choosing(method, images),
    )


def _ordered(recipes: Sequence[Recipe], budget_wh: float | None, confidence: float) -> list[Recipe]:
    """Return the recipes that fit the budget, best first. Without a budget, return the recipes that reach the target.

    Recipes whose energy of choosing is not known come last.
    """
    if budget_wh is not None:
        affordable = [recipe for recipe in recipes if recipe.least_wh <= budget_wh]
        return sorted(affordable, key=lambda recipe: (recipe.total_wh is None, -recipe.expected, recipe.least_wh))
    enough = [recipe for recipe in recipes if recipe.chance >= confidence]
    return sorted(enough, key=lambda recipe: (recipe.total_wh is None, recipe.least_wh, -recipe.expected))


def _surer(
    surface: Surface, best: Recipe, full: Recipe, target: float, recipes: Sequence[Recipe]
) -> tuple[Recipe | None, float]:
    """Return the training that would make the advice most certain, and the fraction of the variance that it removes.

    This is the variance of (mAP of `best`) - `target` * (mAP of `full`).
    """

    def draws(recipe: Recipe) -> FloatArray:
        means = surface.means(recipe.method, recipe.images, recipe.images * recipe.epochs)
        return np.asarray(means - means.mean(), np.float64)

    wanted = draws(best) - target * draws(full)
    variance = float((wanted**2).mean())
    if not variance:
        return None, 0.0
    noise = surface.misfit**2 + surface.run_spread**2

    def share(recipe: Recipe) -> float:
        own = draws(recipe)
        return float((wanted * own).mean() ** 2 / (variance * ((own**2).mean() + noise)))

    tried = [recipe for recipe in recipes if recipe.epochs <= full.epochs]
    shares = [share(recipe) for recipe in tried]
    place = int(np.argmax(shares))
    return tried[place], shares[place]
