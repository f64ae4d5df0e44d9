"""Ids in COCO files. A file may have the number 7 in one place, and the text "7" or the number 7.0 in another."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from detreduce.dataset.records import ImageId


def other_spelling(key: ImageId | None) -> ImageId | None:
    """Return the other form of an id: "7" for 7, or 7 for "7". Return None if there is no other form."""
    if isinstance(key, str):
        # Python refuses to convert numbers with thousands of digits
        return int(key) if len(key) < 1000 and key.isascii() and key.isdigit() and str(int(key)) == key else None
    return str(key) if key is not None else None


def known_id(key: Any, known: Container[ImageId]) -> Any:
    """Return `key` as a number or as a text, whichever is in `known`. Return None if it cannot be an id.

    For example, annotations may refer to image 7 as "7".
    """
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    if not isinstance(key, int | str):
        return None
    other = other_spelling(key)
    return other if key not in known and other is not None and other in known else key
