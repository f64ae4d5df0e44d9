"""HTML of what a notebook shows: small tables and pictures, everything escaped, readable on a light or dark page."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence

from detreduce.display.terminal_text import visible_lines

LONGEST = 300
"""Characters of one value that are shown."""

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
    """A value as HTML text: escaped, cut where it is long, with codes for what cannot be seen or written."""
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
    """A table; the first `words` columns hold words, the others numbers. None is an empty cell.

    At most `shown` rows; of the others a line says how many `what` there are.
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
    """A table of names and values."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_cell("td", value, False)}</tr>' for name, value in content.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def lines(values: Iterable[object]) -> str:
    """Sentences, one below the other."""
    return "".join(f"<div>{text(value)}</div>" for value in values)


def folded(summary: str, values: Sequence[object], shown: int = 10) -> str:
    """A line that opens on a list, of at most `shown` values; nothing where there is none."""
    if not values:
        return ""
    more = [f"… and {len(values) - shown} more"] if len(values) > shown else []
    return f"<details><summary>{text(summary)}</summary>{lines([*values[:shown], *more])}</details>"


def picture(jpeg: bytes, name: str) -> str:
    """A JPEG within the page, with its name below."""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{text(name)}">'
        f'<figcaption dir="auto">{text(name)}</figcaption></figure>'
    )


def block(title: object, *parts: str) -> str:
    """What an object's ``_repr_html_`` returns: a title, and parts that the functions here made."""
    return f'<div class="detreduce">{STYLE}<strong>{text(title)}</strong>{"".join(parts)}</div>'


def _cell(tag: str, value: object, number: bool) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    kind = ' class="number"' if number else ' dir="auto"'
    return f"<{tag}{scope}{kind}>{'' if value is None else text(value)}</{tag}>"
