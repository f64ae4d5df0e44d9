"""Every edit of a JSON value: each field deleted, and set to a value of each other kind."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    math.nan,
    math.inf,
    "",
    "x",
    "../../x",
    [],
    [None],
    [[1]],
    ["x"],
    {},
    {"x": 1},
    {"x": {"y": []}},
)
Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the places of all values inside a value. Of a list, only the first and the last value are used."""
    yield place
    if isinstance(value, dict):
        for name, part in value.items():
            yield from places(part, (*place, name))
    elif isinstance(value, list) and value:
        for number in sorted({0, len(value) - 1}):
            yield from places(value[number], (*place, number))


def edits(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield each edit as (the edited place, the edited content)."""
    for place in places(content):
        for value in VALUES:
            yield f"{'.'.join(map(str, place))} = {value!r}", _set(content, place, value)
        if place:
            yield f"{'.'.join(map(str, place))} deleted", _delete(content, place)
            yield f"{'.'.join(map(str, place))} twice", _double(content, place)


def _set(content: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    edited = copy.deepcopy(content)
    _inside(edited, place)[place[-1]] = copy.deepcopy(value)
    return edited


def _delete(content: Any, place: Place) -> Any:
    edited = copy.deepcopy(content)
    del _inside(edited, place)[place[-1]]
    return edited


def _double(content: Any, place: Place) -> Any:
    """Return a list with a repeated value, or a mapping with one value under a second name."""
    edited = copy.deepcopy(content)
    inside = _inside(edited, place)
    value = copy.deepcopy(inside[place[-1]])
    if isinstance(inside, list):
        inside.append(value)
    else:
        inside[f"{place[-1]}2"] = value
    return edited


def _inside(content: Any, place: Place) -> Any:
    for part in place[:-1]:
        content = content[part]
    return content
