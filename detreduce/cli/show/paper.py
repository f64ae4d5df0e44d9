"""Print the results of an experiment as the tables of arXiv 2403.15150."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import plain_table, show_text

if TYPE_CHECKING:
    from detreduce.report.paper import PaperTables


def show_paper(tables: PaperTables) -> None:
    """Print one table for each measure, followed by the notes."""
    out = terminal.console()
    out.print(f"{tables.name}: the tables of arXiv 2403.15150")
    for table in tables.tables:
        out.print()
        out.print(table.title, style="bold")
        shown = plain_table("method", *tables.keeps, wide=False)
        for method, cells in table.rows.items():
            shown.add_row(method, *map(table.text, cells))
        out.print(shown)
    for note in tables.notes:
        show_text(out, note)
