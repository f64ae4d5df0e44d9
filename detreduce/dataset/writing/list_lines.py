"""The lines of list files, which name images."""

from __future__ import annotations

from detreduce.errors import InputError


def list_line(path: object) -> str:
    """Return the line of a list file for a path. Raise InputError if ultralytics could not read this line.

    All line breaks of ``str.splitlines`` count, because ultralytics uses this function to split lists. Ultralytics
    reads lists as UTF-8, so a name that is not UTF-8 would make the whole list unreadable.
    """
    text = str(path)
    if len(text.splitlines()) > 1 or (text and text.splitlines()[0] != text):
        raise InputError(f"{text!r} has a line break in its name, so a list cannot contain it. Rename the file.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{text!r} is a name that is not UTF-8, so ultralytics cannot read a list with it. Rename the file."
        ) from None
    return f"{text}\n"
