"""Remove elements from arrays in a JSON text. The rest of the text is copied character by character."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from detreduce.machine.untrusted.regular_files import ANNOTATIONS, read_regular

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()

Span = tuple[int, int]
"""The start and end of a part of a text, as positions."""
Advance = Callable[[], None]


class Event(NamedTuple):
    """One step of `walk` through a JSON text.

    Attributes
    ----------
    kind
        ``element`` for an element of an array, or ``close`` for the closing bracket of an array.
    key
        The key of the array.
    value
        The value of the element. None for ``close``.
    start
        The position in the text at which the element begins. For ``close``, the position at which the array begins.
    end
        The position in the text after the element. For ``close``, the position after the array.
    """

    kind: Literal["element", "close"]
    key: str
    value: Any
    start: int
    end: int


def read_text(path: Path) -> str:
    """Read the text of a JSON file, without a byte-order mark. `to_bytes` restores the bytes of the file."""
    return read_regular(path, ANNOTATIONS).removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return the bytes that a text has in the file. `text` is the result of `read_text`, or a part of it."""
    return text.encode("utf-8", "surrogateescape")


def walk(text: str, arrays: Collection[str]) -> Iterator[Event]:
    """Yield the elements and the end of each top-level array whose key is in `arrays`, in the order of the text.

    Raise json.JSONDecodeError if the text is not a single JSON object.
    """
    place = _expect(text, _skip(text, 0), "{")
    if text[place : place + 1] == "}":
        return
    while True:
        key, end = _DECODER.raw_decode(text, place)
        if not isinstance(key, str):
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, place)
        place = _expect(text, _skip(text, end), ":")
        if key in arrays and text[place : place + 1] == "[":
            end = yield from _walk_array(text, key, place)
        else:
            _, end = _DECODER.raw_decode(text, place)
        place = _skip(text, end)
        if text[place : place + 1] == "}":
            break
        place = _expect(text, place, ",")
    if _skip(text, place + 1) != len(text):
        raise json.JSONDecodeError("Extra data", text, place + 1)


def _walk_array(text: str, key: str, start: int) -> Generator[Event, None, int]:
    """Yield an event for each element of the array at `start`, and an event for its closing bracket.

    Return the position after the closing bracket.
    """
    decode = _DECODER.raw_decode
    place = _expect(text, start, "[")
    if text[place : place + 1] != "]":
        while True:
            value, end = decode(text, place)
            yield Event("element", key, value, place, end)
            place = _skip(text, end)
            if text[place : place + 1] == "]":
                break
            place = _expect(text, place, ",")
    yield Event("close", key, None, start, place + 1)
    return place + 1


def kept_spans(text: str, wanted: Mapping[str, Callable[[Any], bool]], advance: Advance = lambda: None) -> list[Span]:
    """Return the spans of the text that remain when some elements of top-level arrays are removed.

    `wanted` maps the key of an array to a function. An element is removed if this function returns False for it. White
    space around the elements is kept, so an indented file stays indented. Adjacent spans are merged. If no element is
    removed, the whole text is one span. `advance` is called once for each element.
    """
    return _spans(text, walk(text, wanted.keys()), wanted, advance)


def _spans(
    text: str, events: Iterator[Event], wanted: Mapping[str, Callable[[Any], bool]], advance: Advance
) -> list[Span]:
    """Return the spans that remain when the unwanted elements among `events` are removed."""
    spans: list[Span] = []
    cursor = 0
    first = kept_end = last_end = None
    for event in events:
        if event.kind == "element":
            advance()
            first = event.start if first is None else first
            if wanted[event.key](event.value):
                if kept_end is None:
                    _emit(spans, cursor, first)
                    cursor = event.start
                elif kept_end != last_end and last_end is not None:
                    _emit(spans, cursor, kept_end)
                    cursor = last_end
                kept_end = event.end
            last_end = event.end
        elif event.kind == "close":
            if last_end is not None and kept_end is None:
                _emit(spans, cursor, event.start + 1)
                cursor = event.end - 1
            elif kept_end is not None and last_end is not None and kept_end != last_end:
                _emit(spans, cursor, kept_end)
                cursor = last_end
            first = kept_end = last_end = None
    _emit(spans, cursor, len(text))
    return spans


def kept_spans_of_list(text: str, wanted: Callable[[Any], bool]) -> list[Span]:
    """Do the same as `kept_spans` for a JSON text that is a list, not an object with lists."""
    start = _skip(text, 0)
    return _spans(text, _walk_array(text, "", start), {"": wanted}, lambda: None)


def _emit(spans: list[Span], start: int, end: int) -> None:
    """Add a span to the list, or extend the last span if the new one directly follows it."""
    if spans and spans[-1][1] == start:
        spans[-1] = (spans[-1][0], end)
    elif end > start:
        spans.append((start, end))


def _skip(text: str, place: int) -> int:
    """Return the position after the white space at `place`."""
    match = _SPACE.match(text, place)
    return match.end() if match else place


def _expect(text: str, place: int, mark: str) -> int:
    """Return the position after `mark` and the white space that follows it.

    Raise an error if `mark` is not at `place`.
    """
    if text[place : place + 1] != mark:
        raise json.JSONDecodeError(f"Expecting {mark!r}", text, place)
    return _skip(text, place + 1)
