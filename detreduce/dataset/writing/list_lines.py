"""The lines of list files, which name images."""

from __future__ import annotations

from detreduce.errors import InputError


def list_line(path: object) -> str:
    """Return the line of a list file for a path. Raise InputError if the path contains a line break.

    All line breaks of ``str.splitlines`` count, because ultralytics uses this function to split lists.
    """
    text = str(path)
    if len(text.splitlines()) > 1 or (text and text.splitlines()[0] != text):
        raise InputError(f"{text!r} has a line break in its name, so a list cannot contain it. Rename the file.")
    return f"{text}\n"
