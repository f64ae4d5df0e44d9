"""Find a file by its name: next to a YAML file, in the working folder, or among the files that detreduce ships."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from pathlib import Path

from detreduce.dataset.paths.path_variables import expand
from detreduce.errors import MissingFileError, nearest_name
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.faults import shortened
from detreduce.ultralytics_bridge.config_folder import nearest_dataset, shipped_dataset

_PACKAGE = Path(__file__).resolve().parents[2]
_SHIPPED = ("configs", "datasets")
LONGEST_PATH = 4096
"""Most characters of a path in a message, the longest path of Linux."""


def candidates(path: str | Path, base: Path | None = None) -> list[Path]:
    """Return the paths at which a file may be.

    A relative path is looked up below `base`, below the working folder, and below the folders of files that detreduce
    ships. An absolute path is returned as it is. `base` is the folder of the YAML file that contains the path, or None.
    """
    expanded = Path(expand(str(path)))
    shipped = len(expanded.parts) > 1 and expanded.parts[0] in _SHIPPED
    return [folder / expanded for folder in _search_folders(expanded, base, shipped=shipped)]


def _search_folders(expanded: Path, base: Path | None, *, shipped: bool) -> list[Path]:
    """Return the folders to search for a path. If `shipped` is True, add the folders of files that detreduce ships."""
    if expanded.is_absolute():
        return [Path(expanded.anchor)]
    # shipped files are inside the package or, in a git checkout, next to it
    own = [_PACKAGE / "shipped", _PACKAGE.parent] if shipped else []
    return [*([base] if base is not None else []), Path.cwd(), *own]


def find(path: str | Path, base: Path | None = None, *, what: str = "file", suffixes: Collection[str] = ()) -> Path:
    """Return the first of the `candidates` that exists.

    Raise MissingFileError if there is none. The message lists the places that were searched. `what` names the kind of
    file in the message. If `suffixes` are given, the message suggests only files with one of them.
    """
    found = _first_existing(path, base)
    if found is None:
        raise _missing(path, base, what, _suggest_path(Path(expand(str(path))), base, suffixes))
    return found


def locate_dataset(path: str | Path, base: Path | None = None) -> Path:
    """Return the first of the `candidates` that exists.

    If none exists, return the dataset YAML of this name that ultralytics ships. Raise MissingFileError if ultralytics
    has no such file. The message lists the places that were searched and the most similar name.
    """
    found = _first_existing(path, base) or shipped_dataset(str(path))
    if found is None:
        raise _missing(path, base, "dataset", _suggest_dataset(path, base))
    return found


def _first_existing(path: str | Path, base: Path | None) -> Path | None:
    """Return the first of the `candidates` that exists, as an absolute path, or None."""
    for candidate in candidates(path, base):
        if _exists(candidate):
            return Path(os.path.normpath(candidate.absolute()))
    return None


def _exists(path: Path) -> bool:
    """Return whether a path exists. Return False if the path is too long for the file system."""
    try:
        return path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def _missing(path: str | Path, base: Path | None, what: str, hint: str) -> MissingFileError:
    """Return the error for a path that does not exist. Its message lists the places that were searched."""
    expanded = Path(expand(str(path)))
    if expanded.is_absolute():
        return MissingFileError(f"The {what} {shortened(str(path), LONGEST_PATH)} does not exist.{hint}")
    shipped = len(expanded.parts) > 1 and expanded.parts[0] in _SHIPPED
    tried = dict.fromkeys(os.path.normpath(folder) for folder in _search_folders(expanded, base, shipped=shipped))
    return MissingFileError(
        f"The {what} {shortened(str(path), LONGEST_PATH)} does not exist.{hint} Looked in: {', '.join(tried)}."
    )


def _suggest_path(expanded: Path, base: Path | None, suffixes: Collection[str] = ()) -> str:
    """Return a suggestion of the most similar existing path, or an empty string.

    The suggested path can be typed in place of the original one. `suffixes` is the same as in `find`.
    """
    shipped = len(expanded.parts) > 1 and nearest_name(expanded.parts[0], _SHIPPED) is not None
    return suggest_path(expanded, _search_folders(expanded, base, shipped=shipped), suffixes)


def _suggest_dataset(path: str | Path, base: Path | None) -> str:
    """Suggest the most similar existing path.

    If there is none, suggest a folder that contains a dataset, or a dataset that ultralytics ships.
    """
    from detreduce.dataset.load import suggest_folder

    expanded = Path(expand(str(path)))
    if hint := _suggest_path(expanded, base):
        return hint
    start = Path() if base is None or os.path.isdir(expanded.parent) else base  # noqa: PTH112
    return suggest_folder(start, expanded) or nearest_dataset(str(path))
