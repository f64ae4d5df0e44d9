"""What the command `plan` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import show_table, show_text, table_of

if TYPE_CHECKING:
    from detreduce.experiment.advice.recipes import Advice, Recipe


def show_advice(found: Advice, *, target: float | None, budget_wh: float | None, confidence: float) -> None:
    """Show the recipe, the next best ones, and what would make it surer."""
    out = terminal.console()
    name = found.measure.replace("_", "-")
    full, best = found.full, found.best

    def say(text: str, indent: str = "") -> None:
        show_text(out, text, indent=indent)

    say(
        f"Fitted to {found.configurations} configurations: {name} of all images, {_epochs(full)}: "
        f"{_range(full)}, {full.wh:.2f} Wh."
    )
    wish = f"{target:.0%} of that" if target is not None else f"at most {budget_wh:g} Wh"
    if best is None:
        sure = f" with a chance of {confidence:.0%}" if target is not None else ""
        say(f"No recipe among those tried is expected to reach {wish}{sure}.")
        return
    say(f"For {wish}: {_words(best)}.")
    chance = "" if target is None else f" It reaches the target with a chance of {best.chance:.0%}."
    say(f"Expected {name} {_range(best)}.{chance}", "  ")
    say(_cost(best, full), "  ")
    if found.energy_note:
        say(found.energy_note)
    if found.others:
        table = table_of("method", "images", "epochs", name, "9 of 10 times", "chance", "Wh", right=6)
        for recipe in (best, *found.others):
            chance = "" if target is None else f"{recipe.chance:.0%}"
            table.add_row(
                recipe.method,
                f"{recipe.images}",
                f"{recipe.epochs}",
                f"{recipe.expected:.3f}",
                f"{recipe.low:.3f} to {recipe.high:.3f}",
                chance,
                _wh(recipe),
            )
        show_table(out, table)
    if found.surer is not None:
        say(
            f"One training with {_words(found.surer)} would take away {found.surer_by:.0%} of the variance of this "
            "comparison."
        )


def _cost(best: Recipe, full: Recipe) -> str:
    if best.total_wh is None:
        return f"{best.wh:.2f} Wh, choosing not known: whether it saves beside full ({full.wh:.2f} Wh) cannot be said."
    saved = full.wh - best.total_wh
    choosing = f", {best.choosing_wh:.2f} of them for choosing, once" if best.choosing_wh else ""
    how = f"saves {saved:.2f} Wh" if saved >= 0 else f"costs {-saved:.2f} Wh more"
    return f"{best.total_wh:.2f} Wh{choosing}; {how} beside full ({saved / full.wh:+.0%})."


def _wh(recipe: Recipe) -> str:
    known = recipe.total_wh is not None
    return f"{recipe.total_wh:.2f}" if known else f"{recipe.wh:.2f}, choosing not known"


def _words(recipe: Recipe) -> str:
    if recipe.method == "full":
        return f"all {recipe.images} images, {_epochs(recipe)}"
    return f"{recipe.method}, keep {recipe.keep:.2f} ({recipe.images} images), {_epochs(recipe)}"


def _range(recipe: Recipe) -> str:
    return f"{recipe.expected:.3f} (9 of 10 times {recipe.low:.3f} to {recipe.high:.3f})"


def _epochs(recipe: Recipe) -> str:
    return f"{recipe.epochs} epoch{'s' * (recipe.epochs != 1)}"
