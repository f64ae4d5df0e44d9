"""Print the advice that the command `plan` gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_status, show_table, show_text, table_of
from detreduce.display.numbers import counted, fixed
from detreduce.display.terminal_text import WARNING
from detreduce.vocabulary.controls import FULL
from detreduce.vocabulary.measures import ACCURACIES

SAME = {"Wh": "energy", "TFLOPs": "operations", "minutes": "time"}
# if energies differ by less than this fraction of the energy of `full`, they are shown as equal
SAME_ENERGY = 0.005

if TYPE_CHECKING:
    from detreduce.experiment.advice.answer import Effect, PlannedRecipe, Recommendation


@dataclass(frozen=True)
class Goal:
    """The goal that the user gave to the command `plan`.

    Only one of the first three attributes is set: `target` (a fraction of an mAP), `target_map` (an mAP) or `budget`.
    `confidence` is the probability with which the recipe must reach the target.
    """

    target: float | None
    target_map: float | None
    budget: float | None
    confidence: float

    @classmethod
    def of(cls, asked: Mapping[str, float | None], confidence: float) -> Goal:
        """Create the goal from `asked`, the goals of `ask`. Exactly one of these arguments is not None."""
        budgets = [value for name, value in asked.items() if not name.startswith("target") and value is not None]
        return cls(asked["target"], asked["target_map"], budgets[0] if budgets else None, confidence)

    def in_words(self, found: Recommendation) -> str:
        """Describe the goal in words, for example ``mAP50-95 0.4`` or ``at most 20 Wh``."""
        name = ACCURACIES[found.measure]
        if self.target_map is not None:
            return f"{name} {self.target_map:g}"
        if self.target is not None:
            return f"{self.target:.0%} of {f'this {name}' if found.full else f'the best {name} seen'}"
        return f"at most {self.budget:g} {found.cost}"


def show_advice(found: Recommendation, goal: Goal) -> None:
    """Print the best recipe, the next best recipes, and a training that would make the advice more certain."""
    out = terminal.console()
    name, best, asked = ACCURACIES[found.measure], found.best, goal.in_words(found)

    def say(text: str, indent: str = "") -> None:
        """Print a text, with spaces before each line."""
        show_text(out, text, indent=indent)

    if found.energy_note and (goal.budget is None or found.cost != "TFLOPs"):
        say(f"{'* ' * found.overlapped}{found.energy_note}")
    say(
        f"{_describe_reference(found)} The estimates are fitted to {found.configurations} configurations: trainings "
        "that differ in more than seeds."
    )
    for effect in found.effects:
        say(_describe_effect(effect), "  ")
    if best is None:
        at_least = f" with a probability of at least {goal.confidence:.0%}" if goal.budget is None else ""
        cheapest = f" The cheapest recipe needs {fixed(found.least, 2)} {found.cost}." if goal.budget else ""
        reach = "is expected to reach" if goal.budget is None else "needs"
        say(f"No recipe {reach} {asked}{at_least}.{cheapest}")
        return
    say(f"For {asked}: {_describe(best)}.")
    probability = f" The probability of reaching the target is {best.chance:.0%}." if goal.budget is None else ""
    say(f"Expected {name} {_range(best)}.{probability}", "  ")
    say(_describe_cost(best, found.full, found.cost, _mark(found)), "  ")
    if goal.budget is not None and goal.budget >= found.most:
        say(
            f"The budget of {goal.budget:g} {found.cost} is more than any recipe needs: the most expensive recipe "
            f"needs {fixed(found.most, 2)} {found.cost}. So the budget does not limit the choice."
        )
    if found.others:
        show_table(out, _table(found, chance=goal.budget is None))
    if found.others and goal.target is not None:
        say(
            f"The chance is for the mean {name} as a share of the mean of {'full' if found.full else 'the best seen'}. "
            "What is uncertain in both cancels out. The interval is for one training, with all its uncertainty. So "
            "recipes with nearly equal intervals can have different chances."
        )
    if found.surer is not None:
        training = _describe(found.surer)
        say(f"One more training ({training}) would reduce the variance of this estimate by {found.surer_by:.0%}.")


def show_next_full(found: Recommendation, missing: str) -> None:
    """Print what a training on all images would cost, and what it would tell the user.

    `missing` is a sentence that says how to run this training.
    """
    full = found.next_full
    if full is None:
        return
    by = f", and the variance of this estimate would be {found.full_by:.0%} lower" if found.full_by >= 0.01 else ""
    show_text(
        terminal.console(),
        f"A training on all {full.images} images for {_epochs(full)} would show how much of its mAP a recipe "
        f"keeps{by}. It costs about {_amount(full.least(found.cost), found.cost, _mark(found))}. {missing}",
    )


def show_few_steps(note: str) -> None:
    """Print a warning about few optimiser steps, if there is one."""
    if note:
        show_status(terminal.console(), f"Warning: {note}", WARNING)


def _describe_reference(found: Recommendation) -> str:
    """Describe the training on all images, with which recipes are compared.

    If this training is missing, say so, and describe the best finished training instead.
    """
    name = ACCURACIES[found.measure]
    if (full := found.full) is not None:
        cost = _amount(full.total(found.cost), found.cost, _mark(found))
        return f"All images, {_epochs(full)}: {name} {_range(full)}, {cost}."
    best = found.best_seen
    assert best is not None
    return (
        f"mAP kept: not known, because no training on all images for all {found.epochs} epochs is finished. "
        f"Best finished setting: {_describe(best)}: expected {name} {_range(best)}, "
        f"{_amount(best.least(found.cost), found.cost, _mark(found))}."
    )


def show_written(path: str, command: str, best: PlannedRecipe, epochs: int) -> None:
    """Print where the recipe was written, and the command that trains with it.

    `epochs` is the number of epochs in the command. It can differ from the epochs of the recipe `best`, because the
    recipe sets the number of images seen.
    """
    out = terminal.console()
    show_text(out, f"Recipe: {path}")
    if best.images_seen != best.images * epochs:
        show_text(
            out,
            f"The recipe sets images_seen: {best.images_seen} for {_describe(best)}. The command has epochs={epochs}: "
            f"this divides the {best.images_seen} images seen into {epochs} shorter epochs.",
        )
    # print a command on one line, so that it can be copied
    out.print(f"Next: {command}", soft_wrap=True)


def show_unwritten(command: str) -> None:
    """Print the command that writes the recipe to a file."""
    terminal.console().print(f"Next: {command}", soft_wrap=True)


def _table(found: Recommendation, *, chance: bool) -> Table:
    """Return a table of the best recipes. With `chance`, it has a column with the probability of reaching the
    target.
    """
    recipes = (found.best, *found.others) if found.best else found.others
    settings = ["settings"] if found.effects else []
    chances = ["chance"] if chance else []
    headings = ("images", "epochs", ACCURACIES[found.measure], "90 % interval", *chances, f"{found.cost}{_mark(found)}")
    table = table_of("method", *settings, *headings, right=len(headings))
    for recipe in recipes:
        table.add_row(
            recipe.method,
            *[_settings(recipe) or "as without a recipe"] * len(settings),
            f"{recipe.images}",
            f"{recipe.epochs}" if recipe.seen is None else f"{recipe.images_seen / recipe.images:.1f}",
            fixed(recipe.expected, 3),
            f"{recipe.low:.3f} to {recipe.high:.3f}",
            *[f"{recipe.chance:.0%}"] * len(chances),
            _cost(recipe, found.cost),
        )
    return table


def _describe_effect(effect: Effect) -> str:
    """Return a sentence about the effect of a setting, measured per image seen.

    For example: ``batch 32 instead of 16: one image seen has the effect of 0.90 images ...``.
    """
    return (
        f"{effect.key} {effect.value} instead of {effect.reference}: one image seen has the effect of "
        f"{fixed(effect.times, 2)} images (90 % interval {effect.low:.2f} to {effect.high:.2f})."
    )


def _describe_cost(best: PlannedRecipe, full: PlannedRecipe | None, cost: str = "Wh", mark: str = "") -> str:
    """Say what a recipe costs, and how much it saves compared with `full`, the training on all images.

    `full` is None if there is no such training. `mark` is added to the unit.
    """
    unit = f"{cost}{mark}"
    total, alone, whole = best.total(cost), best.least(cost), None if full is None else full.total(cost)
    reference = "" if whole is None else f" Full takes {fixed(whole, 2)} {unit}."
    if total is None and alone is None:
        return f"The {cost} of a training with these settings are not known, because no finished cell shows them."
    if total is None:
        return f"{_amount(alone, cost, mark)}, plus an unknown amount for choosing.{reference}"
    part = {"Wh": best.choosing_wh, "minutes": best.choosing_minutes}.get(cost)
    choosing = f", including {fixed(part, 2)} {unit} for choosing once" if part else ""
    costs = f"It costs {fixed(total, 2)} {unit}{choosing}"
    if not whole:
        return f"{costs}."
    saved = whole - total
    if abs(saved) < SAME_ENERGY * whole:
        return f"{costs}, the same {SAME[cost]} as full."
    if saved > 0:
        of_full = f"of the {fixed(whole, 2)} {unit} of full ({saved / whole:.0%})"
        return f"{costs}, and saves {fixed(saved, 2)} {unit} {of_full}."
    return f"{costs}, {fixed(-saved, 2)} {unit} more than full ({-saved / whole:+.0%})."


def _cost(recipe: PlannedRecipe, cost: str) -> str:
    """Return the cost of a recipe as text for the table. If the cost of choosing is not known, the text ends in ``+
    ?``.
    """
    total, alone = recipe.total(cost), recipe.least(cost)
    if total is not None:
        return fixed(total, 2)
    return "not known" if alone is None else f"{fixed(alone, 2)} + ?"


def _amount(value: float | None, cost: str, mark: str = "") -> str:
    return f"{cost} not known" if value is None else f"{fixed(value, 2)} {cost}{mark}"


def _mark(found: Recommendation) -> str:
    """Return the mark after the unit of an energy that includes energy of another training, or an empty string."""
    return "*" if found.overlapped and found.cost == "Wh" else ""


def _settings(recipe: PlannedRecipe) -> str:
    """Return the settings that the recipe changes, for example ``batch 32, imgsz 416``."""
    return ", ".join(f"{key} {value}" for key, value in recipe.settings)


def _describe(recipe: PlannedRecipe) -> str:
    settings = f", {text}" if (text := _settings(recipe)) else ""
    if recipe.method == FULL:
        return f"all {counted(recipe.images, 'image')}, {_epochs(recipe)}{settings}"
    return f"{recipe.method}, keep {recipe.keep:.2f} ({counted(recipe.images, 'image')}), {_epochs(recipe)}{settings}"


def _range(recipe: PlannedRecipe) -> str:
    measured = (
        "" if recipe.measured is None else f"; estimated from a fitted curve; measured {fixed(recipe.measured, 3)}"
    )
    return f"{fixed(recipe.expected, 3)} (90 % interval {recipe.low:.3f} to {recipe.high:.3f}{measured})"


def _epochs(recipe: PlannedRecipe) -> str:
    if recipe.seen is not None:
        return f"{recipe.seen} images seen"
    return f"{recipe.epochs} epoch{'s' * (recipe.epochs != 1)}"
