"""For a path that does not exist, suggest the existing file or folder that the user probably meant."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from detreduce.errors import nearest_name


def suggest_path(path: str | Path, folders: Sequence[Path] = ()) -> str:
    """Return the text `` Did you mean 'x'?`` with the most similar existing path, or an empty string if there is none.

    The user can type `x` in place of `path`. A relative path is looked up in each of `folders`, by default in the
    working folder.
    """
    missing = Path(path)
    starts = [Path(missing.anchor)] if missing.is_absolute() else folders or [Path()]
    for folder in starts:
        if (found := _correct_path(folder, missing.parts)) is not None:
            return f" Did you mean {str(Path(*found))!r}?"
    return ""


def _correct_path(folder: Path, parts: Sequence[str]) -> tuple[str, ...] | None:
    """Correct a path below `folder`: replace each part that does not exist by the most similar name that does exist.

    If a part has no similar name, cut the path off before it. Return the parts of the corrected path, or None if
    nothing was corrected.
    """
    nearest: list[str] = []
    for part in parts:
        place, name = folder.joinpath(*nearest), part
        if not os.path.exists(place / part):  # noqa: PTH110 (os.path.exists does not raise for an odd text)
            entries: list[str] = []
            with contextlib.suppress(OSError, ValueError):
                # do not suggest a page, picture or list for a path that has another suffix
                entries = [
                    entry.name
                    for entry in place.iterdir()
                    if entry.suffix == Path(name).suffix or not _is_output(entry)
                ]
            if (match := nearest_name(part, entries)) is None:
                break
            name = match
        nearest.append(name)
    return tuple(nearest) if nearest != list(parts[: len(nearest)]) else None


def _is_output(entry: Path) -> bool:
    """Return whether a path has the suffix of a page, a picture or a list. Such files are not datasets."""
    return entry.suffix.lower() in (".html", ".jpg", ".jpeg", ".png", ".txt", ".log")
