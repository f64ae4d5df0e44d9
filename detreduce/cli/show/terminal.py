"""Shared parts of terminal output: the console, tables, texts and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from detreduce.cli.output import begin_output
from detreduce.display.numbers import fixed, percent
from detreduce.display.terminal_text import WARNING, labelled, visible_lines, wrap
from detreduce.display.typed_paths import as_typed

if TYPE_CHECKING:
    from detreduce.dataset.problem_counts import ProblemCounts

Row = TypeVar("Row")

# piped output is not wrapped, because scripts read whole lines
PIPED_WIDTH = 10_000
# longer lines of text are hard to read
READABLE = 80
# a longer table hides what is above it
MOST_CLASSES = 40
# narrower terminals show wide tables in parts, one below the other
WIDE = 130


class _HonestConsole(Console):
    """A console that shows paths as they were typed, and makes control characters visible.

    So a name cannot move the cursor or hide text.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as text with visible control characters."""
        return super().render_str(visible_lines(as_typed(text)), **options)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, which ends the program quietly. Rich would end the program with exit code 1."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr. If the output is not a terminal, the console is very wide."""
    begin_output()
    out = _HonestConsole(stderr=stderr, highlight=False, markup=False)
    return out if out.is_terminal else _HonestConsole(stderr=stderr, highlight=False, markup=False, width=PIPED_WIDTH)


def share(part: int, whole: int) -> str:
    """Return `part` in percent of `whole`, or an empty string if `whole` is 0."""
    return percent(part, whole) if whole else ""


def most_common(rows: Sequence[Row], counts: Sequence[int]) -> list[Row]:
    """Return the rows with the largest counts, at most `MOST_CLASSES`, in their own order."""
    largest = sorted(range(len(rows)), key=lambda place: (-counts[place], place))[:MOST_CLASSES]
    return [rows[place] for place in sorted(largest)]


def table_of(*headers: str, right: int = 0) -> Table:
    """Return a new table. The last `right` columns are for numbers."""
    table = Table(header_style="bold")
    for place, header in enumerate(headers):
        table.add_column(header, overflow="fold", justify="right" if place >= len(headers) - right else "left")
    return table


def plain_table(*headers: str, wide: bool) -> Table:
    """Return a new table of results, with words in the first column and numbers in the other columns.

    The table has lines only if `wide` is True.
    """
    table = Table(header_style="bold", box=HEAVY_HEAD if wide else SIMPLE_HEAD, padding=(0, int(wide)))
    for place, header in enumerate(headers):
        left = place == 0 or header == "verdict"
        table.add_column(header, overflow="fold" if place == 0 else "ellipsis", justify="left" if left else "right")
    return table


def fits(out: Console, table: Table) -> bool:
    """Return whether a table fits the console without breaking the text of a cell."""
    return Measurement.get(out, out.options.update(width=PIPED_WIDTH), table).maximum <= out.width


def show_table(out: Console, table: Table) -> None:
    """Print a table. If the terminal is too narrow, print the table without lines."""
    out.print(fitted(out, table))


def fitted(out: Console, table: Table) -> Table:
    """Return the given table. If the terminal is too narrow, remove the lines of the table."""
    if not fits(out, table):
        table.box, table.padding, table.show_edge = SIMPLE_HEAD, (0, 0), False
    return table


def number(value: float | None, digits: int) -> str:
    """Return a number with `digits` digits after the point, or a dash if the number is not known.

    There are more digits if the number would be rounded to 0.
    """
    return "-" if value is None or math.isnan(value) else fixed(value, digits)


def show_text(
    out: Console,
    text: str,
    width: int | None = None,
    *,
    first: str | None = None,
    indent: str = "",
    style: str | None = None,
) -> None:
    """Print text that is wrapped between words, without spaces at the end of lines.

    A word that is longer than a line, for instance a path, is not broken. The default `width` is the width of the
    console. `first` is the beginning of the first line. `indent` is the beginning of the other lines.
    """
    for line in wrap(as_typed(text), width or out.width, first=indent if first is None else first, indent=indent):
        out.print(line, soft_wrap=True, style=style)


def show_status(out: Console, text: str, style: str, *, indent: str = "") -> None:
    """Print a line whose label, the text up to its first colon, has a colour: GOOD, WARNING or ERROR."""
    out.print(labelled("\n".join(wrap(as_typed(text), out.width, first=indent, indent=indent)), style), soft_wrap=True)


def show_problems(out: Console, problems: ProblemCounts) -> None:
    """Print the number of problems in the data, in yellow. Print nothing if there are no problems."""
    line = as_typed(problems.line)
    if not line:
        return
    if len(line) <= out.width:
        out.print(labelled(line, WARNING), soft_wrap=True)
        return
    said, label, command = line.partition("List the problems: ")
    show_status(out, said.rstrip(), WARNING)
    if label:
        # a command stays on one line, so that it can be copied
        out.print(f"{label}{command}", soft_wrap=True)
