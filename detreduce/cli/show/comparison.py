"""What `run` shows at its end: every method beside full, and when choosing has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.differences import show_differences
from detreduce.cli.show.terminal import WIDE, number, show_table, table_of
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, EQUAL_STEPS

if TYPE_CHECKING:
    from detreduce.experiment.statistics import Summary
    from detreduce.experiment.statistics.break_even import BreakEven
    from detreduce.experiment.statistics.comparison import Comparison
    from detreduce.experiment.statistics.ranks import MethodRanks

WIDER = 150
# name in the rows, heading, digits, how the difference to full is shown
Measure = tuple[str, str, int, Callable[[float | None], str]]


def show_comparison(
    name: str,
    summaries: Sequence[Summary],
    comparisons: Sequence[Comparison] | None = None,
    ranking: MethodRanks | None = None,
    paid: Sequence[BreakEven] = (),
) -> None:
    """Show every method at every keep beside full: accuracy, energy, CO2, time; then beside chance, with verdicts."""
    out = terminal.console()
    out.print(f"{name}: reduced beside full")
    accuracy: list[Measure] = [("mAP50", "mAP50", 3, _signed), ("mAP50_95", "mAP50-95", 3, _signed)]
    cost: list[Measure] = [
        ("Wh", "Wh", 2, _percent),
        ("g_co2", "g CO2", 2, _percent),
        ("minutes", "minutes", 1, _percent),
        ("TFLOPs", "TFLOPs", 1, _percent),
    ]
    # what no cell has says nothing
    cost = [item for item in cost if any(math.isfinite(row.mean[item[0]]) for row in summaries)]
    wide = out.width >= WIDE
    parts = [accuracy, *(cost[place : place + 2] for place in range(0, len(cost), 2))]
    for measures in [accuracy + cost] if out.width >= WIDER or (wide and len(cost) < 4) else parts:
        table = Table(header_style="bold", box=HEAVY_HEAD if wide else SIMPLE_HEAD, padding=(0, int(wide)))
        table.add_column("method", overflow="fold")
        for header in ("keep", "images", "cells"):
            table.add_column(header, justify="right")
        for _, header, _, _ in measures:
            table.add_column(header, justify="right")
            table.add_column("vs full", justify="right")
        for row in summaries:
            count = f"{row.cells}" + f" ({row.overlapped}*)" * bool(row.overlapped)
            keep = "all" if row.method == "full" else f"{row.keep}"
            cells = [row.method, keep, f"{row.images}", count]
            for measure, _, digits, show in measures:
                apart = "~" * (show is _signed and not row.paired)
                cells += [_with_spread(row, measure, digits), show(row.against_full.get(measure)) + apart]
            table.add_row(*cells)
        out.print(table)
    if any(row.cells > 1 for row in summaries):
        out.print("Means over cells; ± is the standard deviation between them.")
    if not all(row.paired for row in summaries):
        out.print("~ no training seed in common with full: the difference of the means.")
    if all(row.overlapped == row.cells for row in summaries):
        out.print("* ran beside another training on one machine, as all did: energy, CO2 and time cannot be compared.")
    elif any(row.overlapped for row in summaries):
        out.print("* ran beside another training on one machine: Wh, g CO2 and minutes are of the other cells alone.")
    if any(row.method == EQUAL_ITERATIONS for row in summaries):
        out.print(f"{EQUAL_ITERATIONS}: {EQUAL_STEPS} (batches and optimiser steps) as that keep.")
    show_break_even(out, paid)
    if comparisons is not None and any(not row.is_control for row in summaries):
        show_differences(out, comparisons, ranking)


def _after(trainings: float) -> str:
    if math.isnan(trainings):
        return "not known"
    if math.isinf(trainings):
        return "never"
    count = math.ceil(trainings)
    return f"{count} training{'s' * (count > 1)}"


def show_break_even(out: Console, paid: Sequence[BreakEven]) -> None:
    """Show after how many trainings each method's choosing has paid for itself, where it costs anything."""
    paid = [item for item in paid if not item.choosing_wh < 0.005]
    if not paid:
        return
    table = table_of("method", "keep", "choosing, Wh", "saved a training, Wh", "pays after", right=4)
    for item in paid:
        choosing = "not known" if math.isnan(item.choosing_wh) else f"{item.choosing_wh:.2f}"
        table.add_row(item.method, f"{item.keep}", choosing, f"{item.saved_wh:.2f}", _after(item.trainings))
    show_table(out, table)


def _with_spread(row: Summary, measure: str, digits: int) -> str:
    text = number(row.mean[measure], digits)
    spread = row.spread[measure]
    return text if math.isnan(spread) else f"{text} ± {spread:.{digits}f}"


def _signed(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:+.3f}"


def _percent(ratio: float | None) -> str:
    return "" if ratio is None or math.isnan(ratio) else f"{(ratio - 1) * 100:+.0f} %"
