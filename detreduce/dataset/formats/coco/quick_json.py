"""Read the used parts of a COCO JSON with msgspec, which skips polygons without making objects of them.

The json module takes five times as long, and needs more memory. Msgspec refuses invalid JSON, also in the parts that
it skips. A text that msgspec refuses, for example because of NaN, is read again with the json module, whose errors
have a line and a column.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, TypedDict


class _Annotation(TypedDict, total=False):
    id: Any
    image_id: Any
    category_id: Any
    bbox: Any
    iscrowd: Any


class _Content(TypedDict, total=False):
    images: list[Any]
    annotations: list[_Annotation]
    categories: list[Any]


@cache
def _decoder() -> tuple[Any, tuple[type[Exception], ...]] | None:
    """Return the decoder and the types of its errors. Return None if msgspec is not installed."""
    try:
        msgspec = importlib.import_module("msgspec")
    except ImportError:
        return None
    return msgspec.json.Decoder(_Content), (msgspec.DecodeError, RecursionError)


def read_used_parts(text: str) -> dict[str, Any] | None:
    """Return the images, annotations and categories of a COCO JSON. Annotations have only the keys that are used.

    Return None if msgspec is not installed or refuses the text. Then the json module must read the text.
    """
    found = _decoder()
    if found is None:
        return None
    decoder, errors = found
    try:
        return dict(decoder.decode(text))
    except errors:
        return None
