"""HTML for notebooks: small tables and pictures, all text escaped, readable in light and dark themes."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence

from detreduce.display.terminal_text import visible_lines

LONGEST = 300
"""The most characters shown of one value."""

# colours come from the page, so that light and dark themes both read well
STYLE = """<style>
.detreduce table {border-collapse: collapse; margin: .4em 0}
.detreduce th, .detreduce td {padding: .15em .8em .15em 0; text-align: start; vertical-align: top;
  background: none; color: inherit; border: 0; border-bottom: 1px solid rgba(128, 128, 128, .35); max-width: 40em;
  overflow-wrap: anywhere; white-space: normal}
.detreduce thead th {overflow-wrap: normal}
.detreduce th.number, .detreduce td.number {text-align: end; font-variant-numeric: tabular-nums}
.detreduce figure {display: inline-block; margin: .3em .5em .3em 0; max-width: 12em; vertical-align: top}
.detreduce figcaption {font-size: .8em; overflow-wrap: anywhere}
</style>"""


def text(value: object) -> str:
    """Return a value as HTML text: escaped, cut if it is long, with codes for invisible characters."""
    shown = str(value)
    if len(shown) > LONGEST:
        shown = shown[: LONGEST - 1] + "…"
    return html.escape(visible_lines(shown))


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    words: int = 1,
    shown: int | None = None,
    what: str = "",
) -> str:
    """Return a table; the first `words` columns hold words, the others numbers. None is an empty cell.

    It has at most `shown` rows; a line below counts the others, called `what`.
    """
    rows = list(rows)
    most = len(rows) if shown is None else shown
    head = "".join(_cell("th", name, place >= words) for place, name in enumerate(headings))
    body = "".join(
        f"<tr>{''.join(_cell('td', value, place >= words) for place, value in enumerate(row))}</tr>"
        for row in rows[:most]
    )
    more = f"<div>… and {len(rows) - most} more {text(what)}</div>" if len(rows) > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def facts(content: Mapping[str, object]) -> str:
    """Return a table of names and values."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_cell("td", value, False)}</tr>' for name, value in content.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def lines(values: Iterable[object]) -> str:
    """Return sentences, one below the other."""
    return "".join(f"<div>{text(value)}</div>" for value in values)


def folded(summary: str, values: Sequence[object], shown: int = 10) -> str:
    """Return a line that opens on a list of at most `shown` values; an empty text for an empty list."""
    if not values:
        return ""
    more = [f"… and {len(values) - shown} more"] if len(values) > shown else []
    return f"<details><summary>{text(summary)}</summary>{lines([*values[:shown], *more])}</details>"


def picture(jpeg: bytes, name: str) -> str:
    """Return a JPEG inside the page, with its name below."""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{text(name)}">'
        f'<figcaption dir="auto">{text(name)}</figcaption></figure>'
    )


def block(title: object, *parts: str) -> str:
    """Return the HTML of an object for ``_repr_html_``: a title, and parts made by the functions here."""
    return f'<div class="detreduce">{STYLE}<strong>{text(title)}</strong>{"".join(parts)}</div>'


def _cell(tag: str, value: object, number: bool) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    kind = ' class="number"' if number else ' dir="auto"'
    return f"<{tag}{scope}{kind}>{'' if value is None else text(value)}</{tag}>"
