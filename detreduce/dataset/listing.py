"""List files in an order that does not depend on the file system."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path


def find_files(folder: str | Path, suffixes: Collection[str]) -> list[str]:
    """Return the files below a folder that have one of the `suffixes` (lower case).

    Upper-case suffixes of files match too. Links are followed, and each folder is visited once. As in ultralytics,
    hidden files and folders are skipped. The paths are relative to `folder`, with ``/``, and sorted. Raise OSError if
    the folder cannot be read.
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
            # sorted: if two links lead to one folder, the same link is followed on every file system
            for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    pending.append((entry.path, f"{prefix}{entry.name}/"))
                elif os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122 (pathlib is five times slower)
                    found.append(prefix + entry.name)
    return sorted(found)


def absolute(path: str | Path) -> Path:
    """Return an absolute path without ``..``. Links are not resolved."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve would follow links)


def below(path: str, root: str) -> str | None:
    """Return `path` relative to `root`, with ``/``, or None if `path` is not below `root`. Both are absolute paths."""
    prefix = root.rstrip(os.sep) + os.sep
    return path[len(prefix) :].replace(os.sep, "/") if path.startswith(prefix) else None
