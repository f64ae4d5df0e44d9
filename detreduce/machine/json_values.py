"""Write JSON that every program can read. NaN, infinity, NumPy arrays and dataclasses are converted first."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

PLAIN = frozenset({int, str, bool, type(None)})
"""The types whose values are stored in JSON unchanged."""
_SCALARS = PLAIN | {float}


def json_value(value: Any, *, infinities: bool = True) -> Any:
    """Convert a value to the types that JSON has: dicts, lists, strings, numbers, booleans and None.

    NaN becomes None. Infinity becomes the string ``inf`` or ``-inf``, or None if `infinities` is False. Dataclasses
    become dicts, and NumPy arrays become lists. Values of any other type are converted with str().
    """
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return str(float(value)) if infinities and math.isinf(value) else None
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): json_value(item, infinities=infinities) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if set(map(type, value)) <= PLAIN:  # a single check for the whole list, which may be long
            return list(value)
        return [json_value(item, infinities=infinities) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: json_value(getattr(value, item.name), infinities=infinities) for item in fields(value)}
    if hasattr(value, "tolist"):
        return json_value(value.tolist(), infinities=infinities)
    return str(value)


def json_number(value: float | str | None) -> float:
    """Convert a number from JSON to a float: None is NaN, and the strings ``inf`` and ``-inf`` are infinity.

    Raise ValueError or TypeError for any other value.
    """
    return math.nan if value is None else float(value)


def json_text(content: Any, *, indent: int | None = 1) -> str:
    """Return the content as JSON text that ends with a newline.

    Values that JSON does not have are converted by `json_value`. Characters that UTF-8 cannot encode, which occur in
    some file names, are written as JSON escapes.
    """
    try:
        text = _dumps(content, indent)
    except (ValueError, TypeError):
        # make a converted copy only now, because only content with numbers or keys that JSON does not have needs one
        text = _dumps(json_value(content), indent)
    return (text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()) + "\n"


def _dumps(content: Any, indent: int | None) -> str:
    """Return the content as JSON text. Raise ValueError or TypeError if it has values that JSON does not have.

    With an indent, ``json.dumps`` runs in Python, which takes ten times as long for a long list of numbers. Without an
    indent, ``json.dumps`` runs in C. Therefore, long lists are written without an indent, and the separator between the
    items contains the line break.
    """
    long_list = indent is not None and isinstance(content, list | tuple) and set(map(type, content)) <= _SCALARS
    if not long_list and not (indent is not None and isinstance(content, dict) and set(map(type, content)) <= {str}):
        return json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False, default=json_value)
    if not content:
        return "[]" if long_list else "{}"
    margin = " " * (indent or 0)
    if long_list:
        separators = (f",\n{margin}", ": ")
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=separators)
        return f"[\n{margin}{text[1:-1]}\n]"
    parts = [
        f"{margin}{json.dumps(key, ensure_ascii=False)}: {_dumps(value, indent)}".replace("\n", f"\n{margin}")
        for key, value in content.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}"


def json_pieces(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the JSON text of a mapping in pieces, so that the text of a long list is never in memory as a whole.

    The joined pieces equal the text that `json_text` returns. A value may also be an iterator, which is written as a
    list.
    """
    start = "{\n"
    for key, value in content.items():
        yield f"{start} {json_text(key, indent=None)[:-1]}: "
        if isinstance(value, list | tuple | Iterator):
            yield from _list_pieces(iter(value))
        else:
            yield _indented(json_text(value))
        start = ",\n"
    yield "\n}\n" if content else "{}\n"


def _list_pieces(items: Iterator[Any]) -> Iterator[str]:
    """Yield the JSON text of a list inside a mapping, in pieces of 1,000 items."""
    start = "["
    while batch := list(islice(items, 1000)):
        # cut off the brackets of the batch
        yield start + _indented(json_text(batch))[1:-3]
        start = ","
    yield "\n ]" if start == "," else "[]"


def _indented(text: str) -> str:
    """Indent a JSON text by one more level, and remove the newline at its end."""
    return text.rstrip("\n").replace("\n", "\n ")
