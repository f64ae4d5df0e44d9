"""Suggest the existing file or folder that a person probably meant, for a path that does not exist."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from detreduce.errors import nearest_name


def suggest_path(path: str | Path, folders: Sequence[Path] = ()) -> str:
    """Return the text `` Did you mean 'x'?`` with the most similar existing path, or "".

    `x` can be typed in place of `path`. A relative path starts from one of `folders`, by default the working folder.
    """
    missing = Path(path)
    starts = [Path(missing.anchor)] if missing.is_absolute() else folders or [Path()]
    for folder in starts:
        if (found := _correct_path(folder, missing.parts)) is not None:
            return f" Did you mean {str(Path(*found))!r}?"
    return ""


def _correct_path(folder: Path, parts: Sequence[str]) -> tuple[str, ...] | None:
    """Return the parts of a path below a folder, with each missing part replaced by the most similar existing name.

    If a missing part has no similar name, this part and all later parts are left out. Return None if no part was
    replaced.
    """
    nearest: list[str] = []
    for part in parts:
        place, name = folder.joinpath(*nearest), part
        if not os.path.exists(place / part):  # noqa: PTH110 (an odd text must not raise)
            entries: list[str] = []
            with contextlib.suppress(OSError, ValueError):
                # a page, picture or list is not what another name means
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
    """Return whether a path has the suffix of a page, a picture or a list, which are not datasets."""
    return entry.suffix.lower() in (".html", ".jpg", ".jpeg", ".png", ".txt", ".log")
