"""Read the lines of a text file that lists images."""

from __future__ import annotations

import codecs


def decode_list(data: bytes) -> str:
    """Decode a text in UTF-8, or in UTF-16 if it begins with a byte-order mark, which is removed.

    Bytes that are not valid UTF-8 become surrogates, as in names that Python gets from the file system.
    """
    return data.decode("utf-16", "replace") if is_utf16(data) else data.decode("utf-8-sig", "surrogateescape")


def text_lines(data: bytes) -> list[str]:
    """Return the lines of a text, decoded by `decode_list`, with their line ends."""
    return decode_list(data).splitlines(keepends=True)


def is_utf16(data: bytes) -> bool:
    """Return whether a text begins with the byte-order mark of UTF-16."""
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
