"""The command `plan`: recommend a training recipe, based on the finished cells of an experiment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from detreduce.cli.help import RECIPE
from detreduce.cli.ledger_argument import open_ledger
from detreduce.cli.options import Json, LedgerFolder, file_option, number_option
from detreduce.cli.output import print_json
from detreduce.errors import InputError

if TYPE_CHECKING:
    from detreduce.experiment.advice.answer import Recommendation
    from detreduce.experiment.ledger.ledger import Ledger


def plan(
    ledger: LedgerFolder,
    target: Annotated[
        float | None,
        number_option(
            "Target mAP, as a fraction of the mAP of the control full, or of the best finished training without "
            "it. Default: 0.95 without a budget."
        ),
    ] = None,
    target_map: Annotated[
        float | None,
        number_option("Target mAP itself, from 0 to 1."),
    ] = None,
    budget_wh: Annotated[
        float | None,
        number_option("Energy budget in watt-hours, for choosing images and one training."),
    ] = None,
    budget_tflops: Annotated[
        float | None,
        number_option("Budget of one training in TFLOPs (10^12 operations). Choosing images is not counted."),
    ] = None,
    minutes: Annotated[
        float | None,
        number_option("Time budget in minutes, for choosing images and one training."),
    ] = None,
    recipe_file: Annotated[
        Path | None,
        file_option("Write the recipe as a YAML file for `detreduce train --recipe`."),
    ] = None,
    measure: Annotated[
        Literal["mAP50", "mAP50_95"], typer.Option(help="Which mAP to plan for.", rich_help_panel=RECIPE)
    ] = "mAP50_95",
    confidence: Annotated[
        float,
        number_option("Minimum probability that the recipe reaches the target, 0 to 1."),
    ] = 0.5,
    as_json: Json = False,
) -> None:
    """Recommend the cheapest training that reaches a target, or the best training for a budget.

    A recipe contains a subset and the number of images seen. If the finished trainings differ in batch, image size or
    frozen layers, the recipe also contains these settings.

    Example: detreduce plan runs/demo --target 0.95
    """
    opened = open_ledger(ledger)
    from detreduce.experiment.advice.comparable import comparable_rows, rows_with_recipes
    from detreduce.experiment.advice.question import ask
    from detreduce.experiment.advice.recipes import recommend
    from detreduce.experiment.advice.surface import TooFewConfigurations
    from detreduce.experiment.ledger.unfinished import check_started, continue_first, missing_full
    from detreduce.experiment.searches.leaks import ledger_warning

    asked: dict[str, Any] = {"target": target, "target_map": target_map, "budget_wh": budget_wh}
    asked |= {"budget_tflops": budget_tflops, "minutes": minutes}
    if all(value is None for value in asked.values()):
        asked["target"] = 0.95
    rows = comparable_rows(opened)
    check_started(opened, rows)
    rows = rows_with_recipes(opened, rows)
    question = ask(measure, confidence, **asked)
    try:
        found = recommend(rows, question)
    except TooFewConfigurations as error:
        if first := continue_first(opened):
            # the unfinished cells may be the missing configurations, so other advice comes too early
            raise InputError(f"{error.found} {first}") from None
        raise
    command = _write(opened, rows, found, recipe_file) if recipe_file is not None and found.best is not None else None
    leaks, note = ledger_warning(opened), _few_steps(opened, rows, found)
    missing = " ".join(missing_full(opened, rows))
    if as_json:
        missed = {"missing": missing} if missing else {}
        told = {"leaks": leaks.to_dict() if leaks else None, "few_steps": note, "next": command}
        print_json({**found.to_dict(), **told, **missed})
        return
    from detreduce.cli.show.leaks import show_leaks
    from detreduce.cli.show.plan import Goal, show_advice, show_few_steps, show_next_full, show_unwritten, show_written

    show_leaks(leaks)
    show_advice(found, Goal.of(asked, confidence))
    show_next_full(found, missing)
    show_few_steps(note)
    if command is not None:
        assert found.best is not None
        show_written(str(recipe_file), command, found.best, found.epochs)
    elif found.best is not None:
        show_unwritten(_again(ledger, asked, measure, confidence))


def _write(ledger: Ledger, rows: list[dict[str, Any]], found: Recommendation, file: Path) -> str:
    """Write the best recipe to a file, and return the command that trains with it."""
    from detreduce.display.numbers import fixed
    from detreduce.experiment.advice.recipe_file import train_command, training_recipe, write_recipe
    from detreduce.vocabulary.measures import ACCURACIES

    best = found.best
    assert best is not None
    about = (
        f"{ledger.path}: expected {ACCURACIES[found.measure]} {fixed(best.expected, 3)}, 90 % interval "
        f"{best.low:.3f} to {best.high:.3f}"
    )
    write_recipe(file, training_recipe(best, rows), about)
    return train_command(ledger, rows, best, file, found.epochs)


def _few_steps(ledger: Ledger, rows: list[dict[str, Any]], found: Recommendation) -> str:
    """Return a sentence about the best recipe if it has few optimiser steps of several batches. Else, an empty text."""
    from detreduce.experiment.advice.recipe_file import typical_row
    from detreduce.training.recipes.few_steps import describe_few_steps

    key = str(typical_row(rows).get("key"))
    if found.best is None or key not in ledger:
        return ""
    used, changed = ledger[key].training.resolved, dict(found.best.settings)
    if not {"batch", "nbs"} <= used.keys():
        return ""
    # a recipe that sets the batch also sets nbs
    nbs = changed.get("nbs", changed.get("batch", used.get("nbs")))
    return describe_few_steps({"batch": changed.get("batch", used.get("batch")), "nbs": nbs}, found.best.images_seen)


def _again(ledger: Path, asked: Mapping[str, float | None], measure: str, confidence: float) -> str:
    """Return the same `detreduce plan` command with the option `--recipe-file` added."""
    from detreduce.dataset.paths.output_name import free_name
    from detreduce.experiment.advice.recipe_file import may_replace

    name = "recipe.yaml" if may_replace(Path("recipe.yaml")) else free_name("recipe.yaml")
    words = [f"--{name.replace('_', '-')} {value:g}" for name, value in asked.items() if value is not None]
    words += [f"--measure {measure}"] * (measure != "mAP50_95") + [f"--confidence {confidence:g}"] * (confidence != 0.5)
    return " ".join(["detreduce plan", shlex.quote(str(ledger)), *words, "--recipe-file", name])
