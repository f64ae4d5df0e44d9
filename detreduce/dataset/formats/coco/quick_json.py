"""Read a COCO JSON file quickly with msgspec, which creates no objects for the parts that detreduce does not use.

For example, polygons are skipped. The json module would take five times longer and need more memory.

msgspec refuses invalid JSON even in the parts that it skips, for example NaN. The file then has to be read again with
the json module, whose errors state the line and the column.
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
    """Return the decoder and the types of its errors, or None if msgspec is not installed."""
    try:
        msgspec = importlib.import_module("msgspec")
    except ImportError:
        return None
    return msgspec.json.Decoder(_Content), (msgspec.DecodeError, RecursionError)


def read_used_parts(text: str) -> dict[str, Any] | None:
    """Return the images, annotations and categories of a COCO JSON text. Annotations have only the keys that are used.

    If msgspec is not installed or refuses the text, return None. The text must then be read with the json module.
    """
    found = _decoder()
    if found is None:
        return None
    decoder, errors = found
    try:
        return dict(decoder.decode(text))
    except errors:
        return None
