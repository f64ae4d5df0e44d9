"""Print the finished cells (trainings) of a ledger for the command `ledger list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import fits, fitted, show_text
from detreduce.display.numbers import fixed
from detreduce.vocabulary.keeps import keep_of
from detreduce.vocabulary.measures import ACCURACIES

# (column of a row, heading, number of decimals or None for text)
COLUMNS: tuple[tuple[str, str, int | None], ...] = (
    ("key", "cell", None),
    ("label", "method", None),
    ("keep", "keep", None),
    ("images", "images", None),
    *((name, heading, 3) for name, heading in ACCURACIES.items()),
    ("Wh", "Wh", 2),
    ("minutes", "minutes", 1),
    ("ended", "ended", None),
)
TEXT = ("key", "label", "ended")


def show_rows(rows: Sequence[Mapping[str, Any]], path: object, of: int) -> None:
    """Print the given rows of a ledger as a table.

    `path` is the ledger. `of` is the number of all finished cells in the ledger. It can be larger than the number of
    rows, because the user can filter the rows.
    """
    out = terminal.console()
    if not rows:
        out.print(f"{path}: none of the {of} finished cells matches." if of else f"{path}: no finished cells.")
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
        out.print("* Another training ran on the same machine at the same time, so Wh and minutes are too high.")


def _show_row(out: Console, row: Mapping[str, Any]) -> None:
    """Print a cell in several lines, for a terminal that is too narrow for the table."""
    out.print(str(row["key"]), style="bold", soft_wrap=True)
    facts = [f"{heading} {_shown(row, name, digits)}" for name, heading, digits in COLUMNS[1:]]
    show_text(out, ", ".join(facts), indent="  ")


def _shown(row: Mapping[str, Any], name: str, digits: int | None) -> str:
    """Return the text for column `name` of a row."""
    value = row.get(name)
    if value is None:
        return "-"
    if name == "keep":
        return keep_of(row["label"], value)
    if digits is not None:
        mark = "*" if row.get("overlapped") and name in ("Wh", "minutes") else ""
        return f"{fixed(value, digits)}{mark}"
    return str(value).replace("T", " ")[:16] if name == "ended" else str(value)
