"""Print the results of `run`: each method compared with the full set, and the break-even of each subset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import WIDE, plain_table, show_table, show_text, table_of
from detreduce.vocabulary.measures import ACCURACIES

if TYPE_CHECKING:
    from detreduce.experiment.results.result_table import ResultTable
    from detreduce.experiment.results.robustness import RobustnessTable

WIDER = 150


def show_comparison(name: str, table: ResultTable) -> None:
    """Print the accuracy, energy, CO2 and time of each method and keep.

    If the full set was trained, also print the differences between each subset and the full set. At the end, print the
    break-even table (see `show_break_even`).
    """
    out = terminal.console()
    out.print(f"{name}: reduced vs full" if table.compared else f"{name}: results", style="bold")
    for measures in _parts(table, out.width):
        _show_measures(out, table, measures)
    for note in table.notes:
        show_text(out, note, style="dim")
    show_break_even(out, table)


def _parts(table: ResultTable, width: int) -> list[list[str]]:
    """Return the lists of measures to print, one list per table. A wide terminal gets all measures in one table."""
    accuracy, costs = list(ACCURACIES), list(table.costs)
    if width >= WIDER or (width >= WIDE and len(costs) < 4):
        return [accuracy + costs]
    return [accuracy, *(costs[place : place + 2] for place in range(0, len(costs), 2))]


def _show_measures(out: Console, table: ResultTable, measures: Sequence[str]) -> None:
    """Print one table with the mean of each measure.

    If the full set was trained, the table also has the differences to the full set.
    """
    headings = table.headings(measures)
    shown = plain_table("method", "keep", "images", "cells", *headings, wide=out.width >= WIDE)
    for row in table.rows:
        first = [row.method.text, row.keep.text, row.images.text, row.cells.text]
        shown.add_row(*first, *table.cells(row, measures))
    out.print(shown)


def show_break_even(out: Console, table: ResultTable) -> None:
    """Print the break-even of each subset.

    The break-even is the number of trainings after which a subset has saved as much energy as choosing it took. Methods
    that need no measurable energy to choose images are left out.
    """
    rows = [row for row in table.rows if row.pays_after.text]
    if not rows:
        return
    shown = table_of("method", "keep", "choosing, Wh", "saved per training, Wh", "pays after trainings", right=4)
    for row in rows:
        shown.add_row(row.method.text, row.keep.text, row.choosing_wh.text, row.saved_wh.text, row.pays_after.text)
    show_table(out, shown)


def show_robustness(out: Console, table: RobustnessTable) -> None:
    """Print the mAP of each method and keep on corrupted images, for each corruption.

    If no cell was evaluated on corrupted images, print nothing.
    """
    from detreduce.experiment.results.robustness import ROBUSTNESS_EXPLAINED

    if not table.rows:
        return
    out.print("On corrupted images", style="bold")
    shown = plain_table(*table.headings, wide=out.width >= WIDE)
    for row in table.texts:
        shown.add_row(*row)
    out.print(shown)
    show_text(out, ROBUSTNESS_EXPLAINED, style="dim")
