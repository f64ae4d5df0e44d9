"""The parts that all terminal output shares: the console, tables, texts and numbers."""

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
    from detreduce.dataset.health.problem_counts import ProblemCounts

Row = TypeVar("Row")

# output to a pipe is not wrapped, because scripts read whole lines
PIPED_WIDTH = 10_000
# longer lines of prose are hard to read
READABLE = 80
# a longer table would push what is above it off the screen
MOST_CLASSES = 40
# on a narrower terminal, wide tables are split into parts, one below the other
WIDE = 130


class _HonestConsole(Console):
    """A console that shows paths as the user typed them, and shows control characters as codes.

    Therefore the name of an image cannot move the cursor or hide text.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as rich text, with codes instead of control characters."""
        return super().render_str(visible_lines(as_typed(text)), **options)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, which ends the program with exit code 0. By default, rich would end it with exit code
        1.
        """
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr. If the output is not a terminal, the console does not wrap lines."""
    begin_output()
    out = _HonestConsole(stderr=stderr, highlight=False, markup=False)
    return out if out.is_terminal else _HonestConsole(stderr=stderr, highlight=False, markup=False, width=PIPED_WIDTH)


def share(part: int, whole: int) -> str:
    """Return `part` as a percentage of `whole`, or an empty string if `whole` is 0."""
    return percent(part, whole) if whole else ""


def most_common(rows: Sequence[Row], counts: Sequence[int]) -> list[Row]:
    """Return the `MOST_CLASSES` rows with the largest counts, in their original order."""
    largest = sorted(range(len(rows)), key=lambda place: (-counts[place], place))[:MOST_CLASSES]
    return [rows[place] for place in sorted(largest)]


def table_of(*headers: str, right: int = 0) -> Table:
    """Return a new, empty table with these column headers. The last `right` columns are aligned for numbers."""
    table = Table(header_style="bold")
    for place, header in enumerate(headers):
        table.add_column(header, overflow="fold", justify="right" if place >= len(headers) - right else "left")
    return table


def plain_table(*headers: str, wide: bool) -> Table:
    """Return a new, empty table of results. The first column is for words, and the others are for numbers.

    The table has rules between its columns only if `wide` is True.
    """
    table = Table(header_style="bold", box=HEAVY_HEAD if wide else SIMPLE_HEAD, padding=(0, int(wide)))
    for place, header in enumerate(headers):
        left = place == 0 or header == "verdict"
        table.add_column(header, overflow="fold" if place == 0 else "ellipsis", justify="left" if left else "right")
    return table


def fits(out: Console, table: Table) -> bool:
    """Return whether a table fits the console without breaking the text in a cell."""
    return Measurement.get(out, out.options.update(width=PIPED_WIDTH), table).maximum <= out.width


def show_table(out: Console, table: Table) -> None:
    """Print a table. If the terminal is too narrow, leave out the rules between columns."""
    out.print(fitted(out, table))


def fitted(out: Console, table: Table) -> Table:
    """Return the same table. If the terminal is too narrow, remove the rules between its columns."""
    if not fits(out, table):
        table.box, table.padding, table.show_edge = SIMPLE_HEAD, (0, 0), False
    return table


def number(value: float | None, digits: int) -> str:
    """Return a number with `digits` decimals, or a dash if it is None or NaN.

    If the number would be rounded to 0, it gets more decimals.
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
    """Print a text and break its lines between words.

    A word that is longer than a line, for instance a path, is not broken. The default of `width` is the width of the
    console. The first line begins with `first`, and every other line begins with `indent`.
    """
    for line in wrap(as_typed(text), width or out.width, first=indent if first is None else first, indent=indent):
        out.print(line, soft_wrap=True, style=style)


def show_status(out: Console, text: str, style: str, *, indent: str = "") -> None:
    """Print a line whose label has the style GOOD, WARNING or ERROR. The label is the text up to the first colon."""
    out.print(labelled("\n".join(wrap(as_typed(text), out.width, first=indent, indent=indent)), style), soft_wrap=True)


def show_problems(out: Console, problems: ProblemCounts) -> None:
    """Print the number of problems in the data as a warning. If there are no problems, print nothing."""
    line = as_typed(problems.line)
    if not line:
        return
    if len(line) <= out.width:
        out.print(labelled(line, WARNING), soft_wrap=True)
        return
    said, label, command = line.partition("List the problems: ")
    show_status(out, said.rstrip(), WARNING)
    if label:
        # print a command on one line, so that it can be copied
        out.print(f"{label}{command}", soft_wrap=True)
