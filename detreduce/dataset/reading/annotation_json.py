"""Read a JSON file with annotations. Errors name the line and the column."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from detreduce.errors import InputError, MissingFileError
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import ANNOTATIONS, read_regular

Quick = Callable[[str], Any | None]
"""A faster reader of JSON text. It returns None for a text that it cannot read."""


def read_annotation_json(file: Path, without: Iterable[str] = (), quick: Quick | None = None) -> Any:
    """Return the content of a JSON file. The keys in `without` are left out.

    `quick` is a faster parser. It returns None if it cannot parse the text, and then the json module is used. Raise
    MissingFileError if the file cannot be read. Raise InputError if it is not valid JSON.
    """
    try:
        # do not keep the bytes, because such files may be large
        text = read_regular(file, ANNOTATIONS).decode("utf-8-sig")
    except OSError as error:
        raise MissingFileError(f"{file}: the annotations cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file}: not UTF-8 (byte {error.start}). JSON must be UTF-8. Save the file as UTF-8."
        ) from None
    if quick is not None and (content := quick(text)) is not None:
        return content
    try:
        return parse_json(text, without=without)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not valid JSON: {error}.") from None
