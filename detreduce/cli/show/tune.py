"""Print the plan and the result of the command `tune`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import number, show_status, show_table, show_text, table_of
from detreduce.display.numbers import counted, fixed
from detreduce.display.terminal_text import ERROR, GOOD, WARNING
from detreduce.experiment.statistics.claims import EQUAL_COST
from detreduce.vocabulary.measures import ACCURACIES

if TYPE_CHECKING:
    from detreduce.experiment.tuning.prepared import PreparedTuning
    from detreduce.experiment.tuning.result import Trained, TuningResult


def show_plan(prepared: PreparedTuning) -> None:
    """Print the planned rounds of the tuning (rungs) and the final comparison, with their expected costs."""
    out, setup, unit = terminal.console(), prepared.setup, prepared.budget.unit
    planned, full = prepared.planned(), setup.training.full
    table = table_of("trainings of", "seeds", "images seen", "share", "trainings", "finished", unit, right=6)
    for place, rung in enumerate(planned):
        seeds = rung.trainings // rung.count if rung.is_comparison else 1
        what = "best recipe and control" if rung.is_comparison else f"rung {place + 1}: {counted(rung.count, 'recipe')}"
        counts = [f"{seeds}", f"{rung.length:,}", f"{rung.length / full:.0%}", f"{rung.trainings}", f"{rung.finished}"]
        table.add_row(what, *counts, fixed(rung.cost, 2))
    table.add_section()
    total = sum(rung.cost for rung in planned)
    trainings, finished = sum(rung.trainings for rung in planned), sum(rung.finished for rung in planned)
    table.add_row("together", "", "", "", f"{trainings}", f"{finished}", fixed(total, 2), style="bold")
    show_table(out, table)
    show_text(out, f"Recipes: {', '.join(setup.recipes)}.")
    show_text(out, _how(prepared))
    show_text(out, prepared.plan_in_words())
    if not any(rung.is_comparison for rung in planned):
        show_text(out, "The budget does not allow a comparison with fresh seeds, so nothing would be shown.")


def plan_to_dict(prepared: PreparedTuning) -> dict[str, Any]:
    """Return the plan as a dict that can be written as JSON."""
    judge = prepared.setup.judge
    return {
        "ledger": str(prepared.ledger.path),
        "recipes": [recipe.to_dict() for recipe in prepared.setup.recipes.values()],
        "planned": [asdict(rung) for rung in prepared.planned()],
        "expected": prepared.expected_costs(prepared.planned()),
        "unit": prepared.budget.unit,
        "budget": prepared.budget.amount,
        "spent": prepared.spent,
        "estimated_from": prepared.prices.trainings,
        "judged_on": judge.words,
        "confirmed_on": judge.confirm_words,
        "full": prepared.setup.training.full,
    }


def _how(prepared: PreparedTuning) -> str:
    """Say how the costs were estimated, and on which images recipes are chosen and measured."""
    unit, judge, finished = prepared.budget.unit, prepared.setup.judge, prepared.prices.trainings
    source = f"from {finished} finished trainings" if finished else "from a test of a few seconds, so they are rough"
    costs = "" if unit == "TFLOPs" else f" The {unit} are estimated {source}; each rung uses what the one before cost."
    before = f", {fixed(prepared.spent, 2)} of it spent" * (prepared.spent > 0)
    return (
        f"Budget: {prepared.budget.amount:g} {unit}{before}.{costs} Recipes are chosen on {judge.words}, and the best "
        f"is measured on {judge.confirm_words}. Ledger: {prepared.ledger.path}"
    )


def show_result(result: TuningResult) -> None:
    """Print the trainings of each rung, the comparison, the conclusion, and the command that trains with the best
    recipe.
    """
    out = terminal.console()
    if result.leaks:
        show_status(out, f"Warning: {result.leaks}", WARNING)
    for place, rung in enumerate(result.rungs):
        unfinished = "" if rung.finished else ", not finished"
        out.print(f"Rung {place + 1}{unfinished}: chosen on {result.judged_on}", style="bold")
        show_table(out, _table(result, rung.trained, "goes on"))
        if rung.tflops_differ > EQUAL_COST:
            differ = f"The TFLOPs differ by up to {rung.tflops_differ:.0%}"
            show_text(out, f"{differ}: images seen are rounded to epochs of equal length.")
    for one in result.failed:
        show_status(out, f"Left out: {one.recipe} failed: {one.reason}", WARNING)
    if result.compared:
        out.print(f"Fresh seeds: measured on {result.confirmed_on}", style="bold")
        show_table(out, _table(result, result.compared, ""))
    show_text(out, f"{fixed(result.spent, 2)} of {result.budget:g} {result.unit} are spent. Ledger: {result.ledger}")
    if result.needless:
        show_text(out, result.needless)
    if result.comparison is not None and result.comparison.note:
        show_text(out, f"The comparison: {result.comparison.note}.")
    out.print()
    style = {"better": GOOD, "worse": ERROR}.get(result.kind, WARNING)
    show_status(out, f"Conclusion: {result.sentence}", style)
    if result.recipe_file is not None:
        show_text(out, f"Recipe: {result.recipe_file}")
        # print a command on one line, so that it can be copied
        out.print(f"Next: {result.command}", soft_wrap=True)


def _table(result: TuningResult, trained: Sequence[Trained], mark: str) -> Any:
    """Return a table of the trainings of one round (rung).

    `mark` is the heading of a column that says which recipes are also trained in the next round. If `mark` is empty,
    the table does not have this column.
    """
    headings = ("images seen", "trainings", *ACCURACIES.values(), "TFLOPs", *[result.unit] * (result.unit != "TFLOPs"))
    table = table_of("recipe", *[mark] * bool(mark), *headings, right=len(headings))
    for one in trained:
        spread = "" if one.spread is None else f" ± {fixed(one.spread, 3)}"
        values = [number(one.mAP50, 3), f"{number(one.mAP50_95, 3)}{spread}", number(one.TFLOPs, 2)]
        values += [number(one.cost, 2)] * (result.unit != "TFLOPs")
        goes_on = ["yes" if one.kept else ""] * bool(mark)
        table.add_row(one.recipe, *goes_on, f"{one.images_seen:,}", f"{one.trainings}", *values)
    return table
