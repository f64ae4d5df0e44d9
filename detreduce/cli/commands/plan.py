"""The command `plan`: recommend a training recipe from the finished cells."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from detreduce.cli.help import RECIPE
from detreduce.cli.ledger_argument import open_ledger
from detreduce.cli.options import Json, LedgerFolder
from detreduce.cli.output import print_json


def plan(
    ledger: LedgerFolder,
    target: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Target mAP, as a fraction of the mAP with all images. Default: 0.95 if there is no --budget-wh.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    budget_wh: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Energy budget in watt-hours, for choosing images and one training.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    measure: Annotated[
        Literal["mAP50", "mAP50_95"], typer.Option(help="The mAP to use.", rich_help_panel=RECIPE)
    ] = "mAP50_95",
    confidence: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            help="Minimum probability that the recipe reaches the target, 0 to 1.",
            rich_help_panel=RECIPE,
        ),
    ] = 0.5,
    as_json: Json = False,
) -> None:
    """Recommend the cheapest training that reaches a target, or the best training for an energy budget.

    Example: detreduce plan runs/demo --target 0.95
    """
    opened = open_ledger(ledger)
    from detreduce.experiment.advice.comparable import check_reference, comparable_rows
    from detreduce.experiment.advice.recipes import advise
    from detreduce.experiment.searches.leaks import ledger_warning

    if target is None and budget_wh is None:
        target = 0.95
    rows = comparable_rows(opened)
    check_reference(opened, rows)
    found = advise(rows, target=target, budget_wh=budget_wh, measure=measure, confidence=confidence)
    leaks = ledger_warning(opened)
    if as_json:
        print_json({**found.to_dict(), "leaks": leaks.to_dict() if leaks else None})
        return
    from detreduce.cli.show.leaks import show_leaks
    from detreduce.cli.show.plan import show_advice

    show_leaks(leaks)
    show_advice(found, target=target, budget_wh=budget_wh, confidence=confidence)
