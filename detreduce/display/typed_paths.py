"""Show paths in messages the way the user typed them. Inside the program, all paths are absolute."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_START = r"(?<![^\s'\"`(=:,\[])"
_END = r"(?=[/\s'\"`,:;)\]]|\.(?:\s|$)|$)"

_typed: list[tuple[re.Pattern[str], str]] = []


def remember_paths(paths: Iterable[Path]) -> None:
    """Remember the paths on the command line for `as_typed`, and forget the paths of an earlier command line.

    Other paths below the working folder will be shown as relative paths. If the user typed an absolute path below the
    working folder, they will be shown as absolute paths.
    """
    given = [os.fspath(path) for path in paths]
    here = os.getcwd()  # noqa: PTH109 (text)
    typed = [_as_word(path) for path in given if not os.path.isabs(path)]  # noqa: PTH117
    # the images and labels of a data.yaml are in the folder of the data.yaml
    typed += [folder for path in typed if (folder := os.path.dirname(path)) not in ("", ".")]  # noqa: PTH120
    pairs = {os.path.abspath(path): path for path in typed}  # noqa: PTH100
    in_full = any(path.startswith(here.rstrip(os.sep) + os.sep) for path in given)
    if not in_full and here != os.path.dirname(here):  # noqa: PTH120
        pairs.setdefault(here + os.sep, "")
    _typed[:] = [
        (re.compile(_START + re.escape(full) + ("" if full.endswith(os.sep) else _END)), word)
        for full, word in sorted(pairs.items(), key=lambda pair: -len(pair[0]))
        if full != os.sep
    ]


def as_typed(text: object) -> str:
    """Replace absolute paths in a text by what the user typed.

    For example, if the user typed ``cars`` in the folder ``/home/me``, ``/home/me/cars/1.jpg`` becomes ``cars/1.jpg``.
    """
    shown = str(text)
    for pattern, word in _typed:
        shown = pattern.sub(lambda _, word=word: word, shown)  # type: ignore[misc]
    return shown


def _as_word(path: str) -> str:
    """Return a relative path in a form that no command mistakes for an option."""
    return f"./{path}" if path.startswith("-") else path
