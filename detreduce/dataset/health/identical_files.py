"""Find files with identical content, while reading as few files as possible."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from detreduce.display.progress import progress
from detreduce.machine.hashes import file_hash
from detreduce.machine.untrusted.regular_files import open_descriptor

_TAIL = 4096


def identical_files(paths: Sequence[Path]) -> list[list[int]]:
    """Return groups of files with identical content, as indices in `paths`. Unreadable files are skipped.

    A file is opened only if another file has the same size. It is read completely only if another file of this size
    also has the same last 4 KiB. Frames of videos are skipped, because they are not files.
    """
    with progress("Looking for identical files", len(paths), "files") as advance:
        sized = _split_groups([list(range(len(paths)))], lambda place: _read_size(paths[place], advance))
        tailed = _split_groups(sized, lambda place: _read_tail(paths[place]))
        return _split_groups(tailed, lambda place: _hash(paths[place]))


def _split_groups(groups: list[list[int]], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Split each group into parts whose members have the same key. Parts with only one member are left out.

    Members whose key is None are also left out.
    """
    split: list[list[int]] = []
    for group in groups:
        parts: dict[Hashable, list[int]] = {}
        for place in group:
            if (value := key(place)) is not None:
                parts.setdefault(value, []).append(place)
        split += [part for part in parts.values() if len(part) > 1]
    return split


def _read_size(path: Path, advance: Callable[[], object]) -> int | None:
    advance()
    try:
        return path.stat().st_size
    except OSError:
        return None


def _read_tail(path: Path) -> bytes | None:
    try:
        descriptor, status = open_descriptor(path)
    except OSError:
        return None
    try:
        os.lseek(descriptor, max(0, status.st_size - _TAIL), os.SEEK_SET)
        return os.read(descriptor, _TAIL)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _hash(path: Path) -> str | None:
    try:
        return file_hash(path)
    except OSError:
        return None
