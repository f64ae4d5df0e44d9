"""What `run` shows before it starts, and what the commands of `ledger` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from detreduce.terminal import PIPED_WIDTH, console

if TYPE_CHECKING:
    from detreduce.experiment.overview import Overview

# column of a row, heading, digits; None for text
COLUMNS: tuple[tuple[str, str, int | None], ...] = (
    ("key", "cell", None),
    ("label", "method", None),
    ("keep", "keep", None),
    ("images", "images", None),
    ("mAP50", "mAP50", 3),
    ("mAP50_95", "mAP50-95", 3),
    ("Wh", "Wh", 2),
    ("minutes", "minutes", 1),
    ("ended", "ended", None),
)
TEXT = ("key", "label", "ended")


def show_plan(plan: Overview, *, stderr: bool) -> None:
    """Show the cells of an experiment by method and keep, and what those to run will probably cost.

    On stderr it is what comes before a run, which says the rest itself.
    """
    out = Console(stderr=True, highlight=False, markup=False) if stderr else console()
    if stderr and not out.is_terminal:
        out = Console(stderr=True, highlight=False, markup=False, width=PIPED_WIDTH)
    table = Table(header_style="bold")
    for place, heading in enumerate(("method", "keep", "cells", "finished", "to run", "minutes", "Wh")):
        table.add_column(heading, overflow="fold", justify="right" if place else "left")
    for share in plan.shares:
        keep = "all" if share.is_control and share.keep == 1.0 else f"{share.keep}"
        counts = [f"{share.cells}", f"{share.reused}", f"{share.to_run}"]
        table.add_row(share.method, keep, *counts, *_cost(share.to_run, share.seconds, share.wh))
    counts = [f"{plan.cells}", f"{plan.reused}", f"{plan.to_run}"]
    table.add_row("together", "", *counts, *_cost(plan.to_run, plan.seconds, plan.wh), style="bold")
    out.print(table)
    if not stderr:
        out.print(plan.in_words(), soft_wrap=True)


def show_rows(rows: Sequence[Mapping[str, Any]], path: object, of: int) -> None:
    """Show the finished cells of a ledger, one a line."""
    out = console()
    if not rows:
        out.print(f"{path}: none of the {of} finished cells is like that." if of else f"{path}: no finished cells.")
        return
    table = Table(header_style="bold")
    for name, heading, _ in COLUMNS:
        table.add_column(heading, overflow="fold", justify="left" if name in TEXT else "right")
    for row in rows:
        table.add_row(*(_shown(row, name, digits) for name, _, digits in COLUMNS))
    out.print(table)
    out.print(f"{len(rows)} of {of} finished cells: {path}" if len(rows) < of else f"{of} finished cells: {path}")
    if any(row.get("overlapped") for row in rows):
        out.print("* ran beside another training on one machine: its Wh and minutes are not its own alone.")


def _shown(row: Mapping[str, Any], name: str, digits: int | None) -> str:
    value = row.get(name)
    if name == "keep" and row.get("control") and value == 1.0:
        return "all"
    if value is None:
        return "-"
    if digits is not None:
        mark = "*" if row.get("overlapped") and name in ("Wh", "minutes") else ""
        return f"{value:.{digits}f}{mark}"
    return str(value).replace("T", " ")[:16] if name == "ended" else str(value)


def _cost(cells: int, seconds: float | None, wh: float | None) -> tuple[str, str]:
    if not cells:
        return "", ""
    return "?" if seconds is None else f"{seconds / 60:.1f}", "?" if wh is None else f"{wh:.2f}"
