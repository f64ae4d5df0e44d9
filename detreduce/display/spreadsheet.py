"""Make CSV tables safe: a spreadsheet must not run the text of a cell as a formula."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "@", "+", "-", "\t", "\r")


def spreadsheet_cell(value: Any) -> Any:
    """Return a value that is safe in a CSV table. If a spreadsheet would run a text as a formula, prefix an
    apostrophe.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
