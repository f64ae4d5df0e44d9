"""Check whether a page may be written to a file. Pages of detreduce are replaced, but other files never are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from detreduce.errors import InputError
from detreduce.machine.files import writing
from detreduce.machine.regular_files import open_regular

HEALTH_PAGE = "health.html"
MARK = b'<meta name="generator" content="detreduce '
_HEAD = 64 << 10


def check_target(target: Path, name: str, marks: Sequence[bytes] = ()) -> Path:
    """Return the file to write: `target`. If `target` is a folder, return the file `name` inside this folder.

    Raise InputError if the file exists but contains neither the mark of a detreduce page nor any of `marks`.
    """
    if target.is_dir():
        target = target / name
    if os.path.lexists(target) and not is_own(target, marks):
        raise InputError(f"{target} is not a report of detreduce, so it is not overwritten. Choose another file.")
    return target


def is_own(file: Path, marks: Sequence[bytes] = ()) -> bool:
    """Return whether an existing file is a page of detreduce. Raise DetreduceError if the file cannot be read."""
    with writing(file), open_regular(file) as content:
        head = content.read(_HEAD)
    return any(mark in head for mark in (MARK, *marks))
