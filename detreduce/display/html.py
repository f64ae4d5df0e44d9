"""HTML for notebooks: small tables and pictures that are readable in light and dark themes. All text is escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence

from detreduce.display.terminal_text import visible_lines

LONGEST = 300
"""Maximum number of characters that are shown of one value."""

# the page sets the colours, so the text is readable in light and dark themes
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
    """Return a value as escaped HTML text. Long text is cut off, and invisible characters become visible codes."""
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
    """Return an HTML table.

    The first `words` columns contain text, and the other columns contain numbers. A cell is empty if its value is None.
    At most `shown` rows are included. If there are more, a line below the table says how many rows are hidden. In this
    line, `what` is the plural noun for the rows, for example ``images``.
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
    """Return an HTML table with two columns: the names and their values."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_cell("td", value, False)}</tr>' for name, value in content.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def lines(values: Iterable[object]) -> str:
    """Return HTML that shows each value on its own line."""
    return "".join(f"<div>{text(value)}</div>" for value in values)


def folded(summary: str, values: Sequence[object], shown: int = 10) -> str:
    """Return a summary line that opens on a click and then shows at most `shown` values.

    If there are no values, the result is an empty string.
    """
    if not values:
        return ""
    more = [f"… and {len(values) - shown} more"] if len(values) > shown else []
    return f"<details><summary>{text(summary)}</summary>{lines([*values[:shown], *more])}</details>"


def picture(jpeg: bytes, name: str) -> str:
    """Return HTML that shows a JPEG image with its name below it."""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{text(name)}">'
        f'<figcaption dir="auto">{text(name)}</figcaption></figure>'
    )


def block(title: object, *parts: str) -> str:
    """Return the HTML of an object for use in ``_repr_html_``: the title, followed by the pieces of HTML in `parts`."""
    return f'<div class="detreduce">{STYLE}<strong>{text(title)}</strong>{"".join(parts)}</div>'


def _cell(tag: str, value: object, number: bool) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    kind = ' class="number"' if number else ' dir="auto"'
    return f"<{tag}{scope}{kind}>{'' if value is None else text(value)}</{tag}>"
