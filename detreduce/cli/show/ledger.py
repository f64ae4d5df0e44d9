"""What `ledger list` shows: a line a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import fits, fitted, show_text

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


def show_rows(rows: Sequence[Mapping[str, Any]], path: object, of: int) -> None:
    """Show the finished cells of a ledger, one a line."""
    out = terminal.console()
    if not rows:
        out.print(f"{path}: none of the {of} finished cells is like that." if of else f"{path}: no finished cells.")
        return
    table = Table(header_style="bold")
    for name, heading, _ in COLUMNS:
        table.add_column(heading, overflow="fold", justify="left" if name in TEXT else "right")
    for row in rows:
        table.add_row(*(_shown(row, name, digits) for name, _, digits in COLUMNS))
    if fits(out, fitted(out, table)):
        out.print(table)
    else:
        for row in rows:
            _show_row(out, row)
    out.print(f"{len(rows)} of {of} finished cells: {path}" if len(rows) < of else f"{of} finished cells: {path}")
    if any(row.get("overlapped") for row in rows):
        out.print("* ran beside another training on one machine: its Wh and minutes are not its own alone.")


def _show_row(out: Console, row: Mapping[str, Any]) -> None:
    """Show a cell in two lines or more, where a line is too short for it."""
    out.print(str(row["key"]), style="bold", soft_wrap=True)
    facts = [f"{heading} {_shown(row, name, digits)}" for name, heading, digits in COLUMNS[1:]]
    show_text(out, ", ".join(facts), indent="  ")


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
