"""Print the advice of the command `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_table, show_text, table_of
from detreduce.vocabulary.controls import FULL
from detreduce.vocabulary.measures import ACCURACIES

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
        f"All images, {_epochs(full)}: {name} {_range(full)}, {full.wh:.2f} Wh. "
        f"The model is fitted to {found.configurations} configurations."
    )
    goal = f"{target:.0%} of this {name}" if target is not None else f"at most {budget_wh:g} Wh"
    if best is None:
        at_least = f" with a probability of at least {confidence:.0%}" if target is not None else ""
        say(f"No recipe is expected to reach {goal}{at_least}.")
        return
    say(f"For {goal}: {_describe(best)}.")
    probability = "" if target is None else f" The probability of reaching the target is {best.chance:.0%}."
    say(f"Expected {name} {_range(best)}.{probability}", "  ")
    say(_describe_cost(best, full), "  ")
    if found.energy_note:
        say(found.energy_note)
    if found.others:
        table = table_of("method", "images", "epochs", name, "9 of 10 times", "probability", "Wh", right=6)
        for recipe in (best, *found.others):
            probability = "" if target is None else f"{recipe.chance:.0%}"
            table.add_row(
                recipe.method,
                f"{recipe.images}",
                f"{recipe.epochs}",
                f"{recipe.expected:.3f}",
                f"{recipe.low:.3f} to {recipe.high:.3f}",
                probability,
                _wh(recipe),
            )
        show_table(out, table)
    if found.surer is not None:
        training = _describe(found.surer)
        say(f"One more training ({training}) would reduce the variance of this estimate by {found.surer_by:.0%}.")


def _describe_cost(best: Recipe, full: Recipe) -> str:
    if best.total_wh is None:
        return f"{best.wh:.2f} Wh, plus an unknown amount for choosing; full takes {full.wh:.2f} Wh."
    saved = full.wh - best.total_wh
    choosing = f", including {best.choosing_wh:.2f} for choosing once" if best.choosing_wh else ""
    if f"{abs(saved):.2f}" == "0.00":
        return f"{best.total_wh:.2f} Wh{choosing}; the same energy as full."
    how = f"{saved:.2f} Wh less" if saved > 0 else f"{-saved:.2f} Wh more"
    return f"{best.total_wh:.2f} Wh{choosing}; {how} than full ({-saved / full.wh:+.0%})."


def _wh(recipe: Recipe) -> str:
    known = recipe.total_wh is not None
    return f"{recipe.total_wh:.2f}" if known else f"{recipe.wh:.2f}, choosing not known"


def _describe(recipe: Recipe) -> str:
    if recipe.method == FULL:
        return f"all {recipe.images} images, {_epochs(recipe)}"
    return f"{recipe.method}, keep {recipe.keep:.2f} ({recipe.images} images), {_epochs(recipe)}"


def _range(recipe: Recipe) -> str:
    return f"{recipe.expected:.3f} (9 of 10 times {recipe.low:.3f} to {recipe.high:.3f})"


def _epochs(recipe: Recipe) -> str:
    return f"{recipe.epochs} epoch{'s' * (recipe.epochs != 1)}"
