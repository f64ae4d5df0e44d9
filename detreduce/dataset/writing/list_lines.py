"""The lines of list files, which name images."""

from __future__ import annotations

from detreduce.errors import InputError


def list_line(path: object) -> str:
    """Return the line of a list file for a path. Raise InputError if the name contains a line break.

    All line breaks of ``str.splitlines`` count, because ultralytics uses this function to split lists.
    """
    text = str(path)
    if len(text.splitlines()) > 1 or (text and text.splitlines()[0] != text):
        raise InputError(f"{text!r} has a line break in its name, so a list cannot contain it. Rename the file.")
    return f"{text}\n"


def utf8_line(path: object) -> str:
    """Return the line for a path in a list that ultralytics reads. Raise InputError if ultralytics could not read it.

    Ultralytics reads lists as UTF-8, so a name that is not UTF-8 would make the whole list unreadable.
    """
    line = list_line(path)
    try:
        line.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{str(path)!r} is a name that is not UTF-8, so ultralytics cannot read a list with it. Rename the file."
        ) from None
    return line
