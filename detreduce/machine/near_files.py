"""For a path that does not exist, suggest the existing file or folder that the user probably meant."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from detreduce.errors import nearest_name
from detreduce.machine.untrusted.regular_files import is_regular


def suggest_path(path: str | Path, folders: Sequence[Path] = (), suffixes: Collection[str] = ()) -> str:
    """Return the text `` Did you mean 'x'?``, where `x` is the existing path that is most similar to `path`.

    Return an empty string if there is no similar path. The user can type `x` in place of `path`. A relative path is
    looked up in each of `folders`, by default in the working folder. If `suffixes` are given, `x` is a file with one of
    them.
    """
    missing = Path(path)
    starts = [Path(missing.anchor)] if missing.is_absolute() else folders or [Path()]
    for folder in starts:
        if (found := _correct_path(folder, missing.parts, suffixes)) is not None and (
            not suffixes or _is_file(folder.joinpath(*found), suffixes)
        ):
            return f" Did you mean {str(Path(*found))!r}?"
    return ""


def _is_file(path: Path, suffixes: Collection[str]) -> bool:
    """Return whether a path is a file with one of the suffixes. Return False if this cannot be found out."""
    with contextlib.suppress(OSError):
        return path.suffix in suffixes and is_regular(path)
    return False


def _correct_path(folder: Path, parts: Sequence[str], suffixes: Collection[str] = ()) -> tuple[str, ...] | None:
    """Correct a path below `folder`, and return its parts. Return None if nothing was corrected.

    Each part that does not exist is replaced by the most similar existing name. If no name is similar, the result ends
    before this part. If `suffixes` are given, the last part is only replaced by a name with one of them.
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
                    if (entry.suffix == Path(name).suffix or not _is_output(entry))
                    and (not suffixes or entry.suffix in suffixes or (len(nearest) + 1 < len(parts) and entry.is_dir()))
                ]
            if (match := nearest_name(part, entries)) is None:
                break
            name = match
        nearest.append(name)
    return tuple(nearest) if nearest != list(parts[: len(nearest)]) else None


def _is_output(entry: Path) -> bool:
    """Return whether a path has the suffix of a page, a picture or a list. Such files are not datasets."""
    return entry.suffix.lower() in (".html", ".jpg", ".jpeg", ".png", ".txt", ".log")
