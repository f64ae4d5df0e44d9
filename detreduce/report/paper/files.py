"""Write the tables of the paper to a file, as CSV, Markdown or LaTeX."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from detreduce.display.spreadsheet import spreadsheet_cell
from detreduce.errors import InputError
from detreduce.machine.files import write_atomically
from detreduce.pages.own_file import check_target
from detreduce.report.paper.tables import PaperTables

_NAME = "paper.md"
_MADE = "Made by detreduce report --as paper"
_CSV_MARK = "measure (detreduce)"
_LATEX = {
    **{char: f"\\{char}" for char in "#$%&_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
}


def paper_target(output: str | Path) -> Path:
    """Return the file to write.

    If `output` is a folder, this is the file ``paper.md`` in the folder. Otherwise, it is `output`.

    Raise InputError if the suffix is not ``.csv``, ``.md`` or ``.tex``, or if the file exists but was not written by
    `write_paper_tables`.
    """
    target = Path(output)
    if target.is_dir():
        target /= _NAME
    if target.suffix.lower() not in PAPER_SUFFIXES:
        raise InputError(f"{target}: unknown file suffix. Use one of: {', '.join(PAPER_SUFFIXES)}.")
    return check_target(target, _NAME, [_MADE.encode(), _CSV_MARK.encode()])


def write_paper_tables(tables: PaperTables, output: str | Path) -> Path:
    """Write the tables to a file, completely or not at all, and return the path of the file.

    The suffix of `output` decides the format: ``.csv``, ``.md`` or ``.tex``. Raise the same InputError as
    `paper_target`, and DetreduceError if the file cannot be written.
    """
    target = paper_target(output)
    content = PAPER_SUFFIXES[target.suffix.lower()](tables).encode("utf-8", "replace")
    write_atomically(target, lambda file: file.write(content))
    return target


def _csv(tables: PaperTables) -> str:
    """Return all tables as a single CSV table.

    There is one row for each measure and method. There are two columns for each keep: the mean, and the standard
    deviation.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    headings = [heading for keep in tables.keeps for heading in (keep, f"{keep}, sd")]
    writer.writerow([_CSV_MARK, "unit", "method", *headings])
    for table in tables.tables:
        for method, cells in table.rows.items():
            numbers = [_plain(value) for one in cells for value in (one.mean, one.spread)]
            writer.writerow([table.measure, table.unit, spreadsheet_cell(method), *numbers])
    return text.getvalue()


def _plain(value: float) -> str:
    """Format a number for CSV with six significant digits, or return an empty string if it is not known."""
    return "" if math.isnan(value) else f"{value:.6g}"


def _markdown(tables: PaperTables) -> str:
    lines = [f"<!-- {_MADE} -->", "", f"# {_one_line(tables.name)}"]
    for table in tables.tables:
        lines += ["", f"## {table.title}", "", _markdown_row(["method", *tables.keeps])]
        lines.append("|" + "|".join(["---", *("---:" for _ in tables.keeps)]) + "|")
        for method, cells in table.rows.items():
            lines.append(_markdown_row([f"`{_one_line(method)}`", *map(table.text, cells)]))
    return "\n".join([*lines, "", *(f"- {_one_line(note)}" for note in tables.notes), ""])


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _one_line(text: str) -> str:
    """Put a text on a single line and escape the character that begins HTML tags."""
    return " ".join(text.split()).replace("<", "&lt;")


def _latex(tables: PaperTables) -> str:
    """Return the tables as LaTeX code that needs no packages."""
    return "\n".join([f"% {_MADE}", *_latex_lines(tables)])


def _latex_lines(tables: PaperTables) -> Iterator[str]:
    """Yield the lines of all tables. The notes follow as comments at the end."""
    for table in tables.tables:
        caption = _escape(table.title).replace("CO2", "CO$_2$").replace("epsilon", r"$\varepsilon$")
        yield from (r"\begin{table}", r"\centering", rf"\caption{{{_escape(tables.name)}: {caption}}}")
        yield rf"\begin{{tabular}}{{l{'r' * len(tables.keeps)}}}"
        yield r"\hline"
        yield _latex_row(["method", *tables.keeps])
        yield r"\hline"
        for method, cells in table.rows.items():
            yield _latex_row([method, *map(table.text, cells)])
        yield from (r"\hline", r"\end{tabular}", r"\end{table}", "")
    for note in tables.notes:
        yield f"% {' '.join(note.split())}"
    yield ""


def _latex_row(cells: list[str]) -> str:
    return f"{' & '.join(map(_escape, cells))} \\\\"


def _escape(text: str) -> str:
    """Escape the special characters of LaTeX in a text."""
    return re.sub("[" + re.escape("".join(_LATEX)) + "]", lambda match: _LATEX[match[0]], " ".join(text.split()))


PAPER_SUFFIXES: dict[str, Callable[[PaperTables], str]] = {".csv": _csv, ".md": _markdown, ".tex": _latex}
"""The function that makes the text of a file, keyed by the suffix of the file."""
