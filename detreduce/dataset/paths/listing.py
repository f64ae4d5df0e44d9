"""List files in an order that does not depend on the file system."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection
from pathlib import Path

from detreduce.dataset.records import Problem
from detreduce.machine.untrusted.confinement import check_in_root


def find_files(
    folder: str | Path,
    suffixes: Collection[str],
    problems: list[Problem] | None = None,
    *,
    with_folders: bool = False,
) -> list[str]:
    """Search a folder and its subfolders for files with the given suffixes. Return their sorted paths.

    The paths are relative to `folder`, with ``/`` as the separator. Links are followed, and each folder is visited only
    once. As in ultralytics, hidden files and folders are skipped.

    Parameters
    ----------
    folder
        The folder to search.
    suffixes
        The suffixes, in lower case. They also match suffixes in upper case.
    problems
        If given, entries that are not files are left out and added to this list. Examples are a link to a missing file,
        a pipe, and an empty folder called a.jpg.
    with_folders
        Whether to return folders with one of the suffixes too, for example a folder called a.txt. The caller then does
        not report such a folder as a missing file.

    Raises
    ------
    OSError
        The folder cannot be read, or a link leads to a folder that may not be read because of DETREDUCE_ROOT.
    """
    found: list[str] = []
    unusable: dict[str, str] = {}
    named: list[str] = []
    visited: set[str] = set()
    pending = [(str(folder), "")]
    while pending:
        place, prefix = pending.pop()
        real = os.path.realpath(place)
        if real in visited:
            continue
        visited.add(real)
        check_in_root(real)
        with os.scandir(place) as entries:
            # sort the entries: if two links lead to the same folder, the same one is followed on every file system
            for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
                if entry.name.startswith("."):
                    continue
                wanted = os.path.splitext(entry.name)[1].lower() in suffixes  # noqa: PTH122 (pathlib is five times slower)
                if _is_folder(entry):
                    pending.append((entry.path, f"{prefix}{entry.name}/"))
                    if wanted:
                        named.append(prefix + entry.name)
                elif wanted:
                    if problems is not None and (why := _why_no_file(entry)):
                        unusable[entry.path] = why
                    else:
                        found.append(prefix + entry.name)
    if with_folders:
        found += named
    if problems is not None:
        ordered = sorted(found)
        for name in named:
            first = bisect_left(ordered, f"{name}/")
            if not any(other.startswith(f"{name}/") for other in ordered[first : first + 1]):
                unusable[os.path.join(folder, name)] = "is a folder, not a file; left out"  # noqa: PTH118
        problems += [Problem(Path(path), unusable[path]) for path in sorted(unusable)]
    return sorted(found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to a folder."""
    try:
        return entry.is_dir()
    except OSError:
        # the entry is a link that leads to itself
        return False


def _why_no_file(entry: os.DirEntry[str]) -> str | None:
    """Return why an entry cannot be read as a file, or None if it is a file or a link to a file."""
    try:
        if entry.is_file():
            return None
    except OSError as error:
        return f"cannot be read ({error.strerror}); left out"
    if entry.is_symlink():
        return f"is a link to {os.readlink(entry.path)!r}, which is not a file; left out"  # noqa: PTH115
    return "is not a file; left out"


def absolute(path: str | Path) -> Path:
    """Return an absolute path without ``..``. Links are not resolved."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve would follow links)


def below(path: str, root: str) -> str | None:
    """Return `path` relative to `root`, with ``/`` as the separator, or None if `path` is not below `root`.

    Both must be absolute paths.
    """
    prefix = root.rstrip(os.sep) + os.sep
    return path[len(prefix) :].replace(os.sep, "/") if path.startswith(prefix) else None
