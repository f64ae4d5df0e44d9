"""Protect CSV tables: a spreadsheet must not run a text in a cell as a formula."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "@", "+", "-", "\t", "\r")


def spreadsheet_cell(value: Any) -> Any:
    """Return a value for a CSV table. A text that a spreadsheet would run as a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
