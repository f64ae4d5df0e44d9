"""Print the advice of the command `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_table, show_text, table_of
from detreduce.display.numbers import fixed
from detreduce.vocabulary.controls import FULL
from detreduce.vocabulary.measures import ACCURACIES

# differences below this fraction of the energy of `full` count as equal
SAME_ENERGY = 0.005

if TYPE_CHECKING:
    from detreduce.experiment.advice.recipes import Advice, Recipe


def show_advice(found: Advice, *, target: float | None, budget_wh: float | None, confidence: float) -> None:
    """Print the best recipe, the next best recipes, and a training that would make the advice more certain."""
    out = terminal.console()
    name = ACCURACIES[found.measure]
    full, best = found.full, found.best

    def say(text: str, indent: str = "") -> None:
        show_text(out, text, indent=indent)

    say(
        f"All images, {_epochs(full)}: {name} {_range(full)}, {fixed(full.wh, 2)} Wh. "
        f"The model is fitted to {found.configurations} configurations."
    )
    goal = f"{target:.0%} of this {name}" if target is not None else f"at most {budget_wh:g} Wh"
    if best is None:
        at_least = f" with a probability of at least {confidence:.0%}" if target is not None else ""
        cheapest = f" The cheapest recipe needs {fixed(found.least_wh, 2)} Wh." if target is None else ""
        reach = "is expected to reach" if target is not None else "needs"
        say(f"No recipe {reach} {goal}{at_least}.{cheapest}")
        return
    say(f"For {goal}: {_describe(best)}.")
    probability = "" if target is None else f" The probability of reaching the target is {best.chance:.0%}."
    say(f"Expected {name} {_range(best)}.{probability}", "  ")
    say(_describe_cost(best, full), "  ")
    if budget_wh is not None and budget_wh >= found.most_wh:
        say(
            f"The budget of {budget_wh:g} Wh is more than any recipe needs: the most expensive recipe "
            f"needs {fixed(found.most_wh, 2)} Wh. So the budget does not limit the choice."
        )
    if found.energy_note:
        say(found.energy_note)
    if found.others:
        chance = ["chance"] if target is not None else []
        table = table_of("method", "images", "epochs", name, "9 of 10 times", *chance, "Wh", right=5 + len(chance))
        for recipe in (best, *found.others):
            table.add_row(
                recipe.method,
                f"{recipe.images}",
                f"{recipe.epochs}",
                fixed(recipe.expected, 3),
                f"{recipe.low:.3f} to {recipe.high:.3f}",
                *[f"{recipe.chance:.0%}"] * len(chance),
                _wh(recipe),
            )
        show_table(out, table)
    if found.surer is not None:
        training = _describe(found.surer)
        say(f"One more training ({training}) would reduce the variance of this estimate by {found.surer_by:.0%}.")


def _describe_cost(best: Recipe, full: Recipe) -> str:
    if best.total_wh is None:
        return f"{fixed(best.wh, 2)} Wh, plus an unknown amount for choosing. Full takes {fixed(full.wh, 2)} Wh."
    saved = full.wh - best.total_wh
    choosing = f", including {fixed(best.choosing_wh, 2)} Wh for choosing once" if best.choosing_wh else ""
    costs = f"It costs {fixed(best.total_wh, 2)} Wh{choosing}"
    if abs(saved) < SAME_ENERGY * full.wh:
        return f"{costs}, the same energy as full."
    if saved > 0:
        return f"{costs}, and saves {fixed(saved, 2)} Wh of the {fixed(full.wh, 2)} Wh of full ({saved / full.wh:.0%})."
    return f"{costs}, {fixed(-saved, 2)} Wh more than full ({-saved / full.wh:+.0%})."


def _wh(recipe: Recipe) -> str:
    return fixed(recipe.total_wh, 2) if recipe.total_wh is not None else f"{fixed(recipe.wh, 2)} + ?"


def _describe(recipe: Recipe) -> str:
    if recipe.method == FULL:
        return f"all {recipe.images} images, {_epochs(recipe)}"
    return f"{recipe.method}, keep {recipe.keep:.2f} ({recipe.images} images), {_epochs(recipe)}"


def _range(recipe: Recipe) -> str:
    return f"{fixed(recipe.expected, 3)} (9 of 10 times {recipe.low:.3f} to {recipe.high:.3f})"


def _epochs(recipe: Recipe) -> str:
    return f"{recipe.epochs} epoch{'s' * (recipe.epochs != 1)}"
