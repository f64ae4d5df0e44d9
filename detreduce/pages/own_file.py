"""Check whether a page may be written to a file. Pages of detreduce are replaced, but other files never are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from detreduce.errors import InputError
from detreduce.machine.files import writing
from detreduce.machine.untrusted.regular_files import is_regular, open_regular

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


def dataset_mark(data: Path) -> bytes:
    """Return the line of a health page that identifies its dataset: a hash, because pages may be passed on."""
    name = os.path.abspath(data)  # noqa: PTH100 (resolve would follow links)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return f'<meta name="detreduce-dataset" content="{digest}">'.encode()


def page_of_dataset(data: Path) -> Path:
    """Return ``health.html`` or, as long as a page of another dataset has this name, the name with the next number.

    Raise InputError if the file exists but is not a page of detreduce.
    """
    first = Path(HEALTH_PAGE)
    target = check_target(first, HEALTH_PAGE)
    for number in count(2):
        if not os.path.lexists(target) or (is_regular(target) and _has(target, dataset_mark(data))):
            break
        target = first.with_name(f"{first.stem}-{number}{first.suffix}")
    return target


def _has(file: Path, mark: bytes) -> bool:
    """Return whether the first part of a page contains `mark`."""
    with writing(file), open_regular(file) as content:
        return mark in content.read(_HEAD)
