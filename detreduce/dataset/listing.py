"""Listing files in an order that no file system decides."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path


def find_files(folder: str | Path, suffixes: Collection[str]) -> list[str]:
    """List the files below a folder whose lower-case suffix is wanted.

    Links are followed, each folder once; hidden files and folders are passed over, as ultralytics does. Returns sorted
    paths relative to `folder`, with ``/``. Raises OSError where the folder cannot be read.
    """
    found: list[str] = []
    visited: set[str] = set()
    pending = [(str(folder), "")]
    while pending:
        place, prefix = pending.pop()
        real = os.path.realpath(place)
        if real in visited:
            continue
        visited.add(real)
        with os.scandir(place) as entries:
            # sorted, so that of two links to one folder the same one is followed everywhere
            for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    pending.append((entry.path, f"{prefix}{entry.name}/"))
                elif os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122 (pathlib is five times slower)
                    found.append(prefix + entry.name)
    return sorted(found)


def absolute(path: str | Path) -> Path:
    """Return an absolute path without ``..``, links left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve would follow links)


def below(path: str, root: str) -> str | None:
    """Return `path` relative to `root` with ``/``, or None where it is not below it; both absolute."""
    prefix = root.rstrip(os.sep) + os.sep
    return path[len(prefix) :].replace(os.sep, "/") if path.startswith(prefix) else None
