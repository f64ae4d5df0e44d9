"""Print the advice of the command `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_table, show_text, table_of
from detreduce.display.numbers import fixed
from detreduce.vocabulary.controls import FULL
from detreduce.vocabulary.measures import ACCURACIES

SAME = {"Wh": "energy", "TFLOPs": "operations", "minutes": "time"}
# differences below this fraction of the energy of `full` count as equal
SAME_ENERGY = 0.005

if TYPE_CHECKING:
    from detreduce.experiment.advice.answer import Advice, Effect, PlannedRecipe


def show_advice(found: Advice, *, target: float | None, budget: float | None, confidence: float) -> None:
    """Print the best recipe, the next best recipes, and a training that would make the advice more certain."""
    out = terminal.console()
    name = ACCURACIES[found.measure]
    full, best = found.full, found.best

    def say(text: str, indent: str = "") -> None:
        show_text(out, text, indent=indent)

    say(
        f"All images, {_epochs(full)}: {name} {_range(full)}, {_amount(full.total(found.cost), found.cost)}. "
        f"The estimates are fitted to {found.configurations} configurations: trainings that differ in more than seeds."
    )
    for effect in found.effects:
        say(_describe_effect(effect), "  ")
    goal = f"{target:.0%} of this {name}" if target is not None else f"at most {budget:g} {found.cost}"
    if best is None:
        at_least = f" with a probability of at least {confidence:.0%}" if target is not None else ""
        cheapest = f" The cheapest recipe needs {fixed(found.least, 2)} {found.cost}." if target is None else ""
        reach = "is expected to reach" if target is not None else "needs"
        say(f"No recipe {reach} {goal}{at_least}.{cheapest}")
        return
    say(f"For {goal}: {_describe(best)}.")
    probability = "" if target is None else f" The probability of reaching the target is {best.chance:.0%}."
    say(f"Expected {name} {_range(best)}.{probability}", "  ")
    say(_describe_cost(best, full, found.cost), "  ")
    if budget is not None and budget >= found.most:
        say(
            f"The budget of {budget:g} {found.cost} is more than any recipe needs: the most expensive recipe "
            f"needs {fixed(found.most, 2)} {found.cost}. So the budget does not limit the choice."
        )
    if found.energy_note and found.cost != "TFLOPs":
        say(found.energy_note)
    if found.others:
        show_table(out, _table(found, chance=target is not None))
    if found.surer is not None:
        training = _describe(found.surer)
        say(f"One more training ({training}) would reduce the variance of this estimate by {found.surer_by:.0%}.")


def show_written(path: str, command: str) -> None:
    """Print where the recipe was written, and the command that trains with it."""
    out = terminal.console()
    show_text(out, f"Recipe: {path}")
    # a command stays on one line, so that it can be copied
    out.print(f"Next: {command}", soft_wrap=True)


def show_unwritten(command: str) -> None:
    """Print the command that writes the recipe."""
    terminal.console().print(f"Next: {command}", soft_wrap=True)


def _table(found: Advice, *, chance: bool) -> Table:
    """Return the best recipes as a table."""
    recipes = (found.best, *found.others) if found.best else found.others
    settings = ["settings"] if found.effects else []
    chances = ["chance"] if chance else []
    headings = ("images", "epochs", ACCURACIES[found.measure], "90 % interval", *chances, found.cost)
    table = table_of("method", *settings, *headings, right=len(headings))
    for recipe in recipes:
        table.add_row(
            recipe.method,
            *[_settings(recipe) or "as without a recipe"] * len(settings),
            f"{recipe.images}",
            f"{recipe.epochs}",
            fixed(recipe.expected, 3),
            f"{recipe.low:.3f} to {recipe.high:.3f}",
            *[f"{recipe.chance:.0%}"] * len(chances),
            _cost(recipe, found.cost),
        )
    return table


def _describe_effect(effect: Effect) -> str:
    """Return a sentence on what one image seen is worth with a setting."""
    return (
        f"{effect.key} {effect.value} instead of {effect.reference}: one image seen has the effect of "
        f"{fixed(effect.times, 2)} images (90 % interval {effect.low:.2f} to {effect.high:.2f})."
    )


def _describe_cost(best: PlannedRecipe, full: PlannedRecipe, cost: str = "Wh") -> str:
    """Return what a recipe costs, and what it saves compared with all images."""
    total, alone, whole = best.total(cost), best.least(cost), full.total(cost)
    reference = "" if whole is None else f" Full takes {fixed(whole, 2)} {cost}."
    if total is None and alone is None:
        return f"The {cost} of a training with these settings are not known, because no finished cell shows them."
    if total is None:
        return f"{_amount(alone, cost)}, plus an unknown amount for choosing.{reference}"
    part = {"Wh": best.choosing_wh, "minutes": best.choosing_minutes}.get(cost)
    choosing = f", including {fixed(part, 2)} {cost} for choosing once" if part else ""
    costs = f"It costs {fixed(total, 2)} {cost}{choosing}"
    if not whole:
        return f"{costs}."
    saved = whole - total
    if abs(saved) < SAME_ENERGY * whole:
        return f"{costs}, the same {SAME[cost]} as full."
    if saved > 0:
        of_full = f"of the {fixed(whole, 2)} {cost} of full ({saved / whole:.0%})"
        return f"{costs}, and saves {fixed(saved, 2)} {cost} {of_full}."
    return f"{costs}, {fixed(-saved, 2)} {cost} more than full ({-saved / whole:+.0%})."


def _cost(recipe: PlannedRecipe, cost: str) -> str:
    """Return the cost of a recipe for the table; ``+ ?`` marks an unknown cost of choosing."""
    total, alone = recipe.total(cost), recipe.least(cost)
    if total is not None:
        return fixed(total, 2)
    return "not known" if alone is None else f"{fixed(alone, 2)} + ?"


def _amount(value: float | None, cost: str) -> str:
    return f"{cost} not known" if value is None else f"{fixed(value, 2)} {cost}"


def _settings(recipe: PlannedRecipe) -> str:
    """Return the settings of a recipe that differ from the trainings without a recipe."""
    return ", ".join(f"{key} {value}" for key, value in recipe.settings)


def _describe(recipe: PlannedRecipe) -> str:
    settings = f", {text}" if (text := _settings(recipe)) else ""
    if recipe.method == FULL:
        return f"all {recipe.images} images, {_epochs(recipe)}{settings}"
    return f"{recipe.method}, keep {recipe.keep:.2f} ({recipe.images} images), {_epochs(recipe)}{settings}"


def _range(recipe: PlannedRecipe) -> str:
    return f"{fixed(recipe.expected, 3)} (90 % interval {recipe.low:.3f} to {recipe.high:.3f})"


def _epochs(recipe: PlannedRecipe) -> str:
    return f"{recipe.epochs} epoch{'s' * (recipe.epochs != 1)}"
