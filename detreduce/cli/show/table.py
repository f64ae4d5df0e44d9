"""Print the result of `table`: the kept rows, epsilon, and the rows of each class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detreduce.cli.show import terminal
from detreduce.cli.show.terminal import most_common, number, share, show_table, show_text, table_of
from detreduce.errors import name_first

if TYPE_CHECKING:
    from detreduce.tables import TableReduction

MOST_NAMES = 8


def show_table_reduction(result: TableReduction) -> None:
    """Print how many rows are kept, by which columns they were compared, epsilon, and the rows of each stratum."""
    out, kept = terminal.console(), len(result.rows)
    share_kept = share(kept, result.total)
    show_text(out, f"{kept:,} of {result.total:,} rows are kept ({share_kept}) by {result.method}.", style="green")
    columns = {"numbers": result.number_columns, "texts": result.text_columns, "ignored": result.ignored}
    for words, names in columns.items():
        if names:
            show_text(out, f"Columns, {words}: {name_first(names, MOST_NAMES)}.")
    within = {"classes": "class", "bins": "range", "none": ""}[result.strata_kind]
    of = f" of its {within}" if within else ""
    if math.isinf(result.epsilon):
        lost = [one.label for one in result.strata if not one.kept]
        show_text(out, f"Epsilon (largest gap): inf, because no row of {name_first(lost)} is kept.", style="yellow")
    else:
        show_text(
            out,
            f"Epsilon (largest gap): {number(result.epsilon, 3)}. In each column, a left-out row differs from a kept "
            f"row{of} by at most this share of the column's range.",
        )
    if result.strata:
        table = table_of(f"{within} of {result.target}", "rows", "kept", "share", right=3)
        shown = most_common(result.strata, [one.rows for one in result.strata])
        for one in shown:
            table.add_row(str(one.label), f"{one.rows:,}", f"{one.kept:,}", share(one.kept, one.rows))
        show_table(out, table)
        if more := len(result.strata) - len(shown):
            out.print(f"... and {more} smaller ones. --json lists all of them.")
    out.print(f"Written to {result.output}", soft_wrap=True)
