"""Where files are looked for, and how they are written."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO

from detreduce.errors import MissingFileError, nearest
from detreduce.ultralytics_files import nearest_dataset, shipped_dataset

_PACKAGE = Path(__file__).resolve().parent
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file that appears whole or not at all, also when two processes write it; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".writing-{os.getpid()}-{uuid.uuid4().hex[:12]}")
    try:
        with partial.open("xb") as file:
            write(file)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # a disk that can only be read says so again
            partial.unlink(missing_ok=True)
        raise


def expand(text: str) -> str:
    """Expand ``~`` and ``${NAME:-default}``; a variable that is unset and has no default stays as it is."""

    def value(match: re.Match[str]) -> str:
        default = match[2] if match[2] is not None else match[0]
        return os.environ.get(match[1]) or default

    return os.path.expanduser(_VARIABLE.sub(value, text))  # noqa: PTH111 (text, not yet a path)


def candidates(path: str | Path, beside: Path | None = None) -> list[Path]:
    """Where `path` may be: below `beside`, below the working folder, among the files that detreduce ships."""
    expanded = Path(expand(str(path)))
    if expanded.is_absolute():
        return [expanded]
    folders = [Path.cwd()]
    if expanded.parts[:1] in (("configs",), ("datasets",)) and len(expanded.parts) > 1:
        # what ships: in the package, or beside it in a checkout
        folders += [_PACKAGE / "shipped", _PACKAGE.parent]
    if beside is not None:
        folders.insert(0, beside)
    return [folder / expanded for folder in folders]


def find(path: str | Path, beside: Path | None = None, *, what: str = "file") -> Path:
    """The first of `candidates` that exists; a dataset may also be one whose YAML ultralytics ships, by its name.

    Raises MissingFileError that lists where it was looked for.
    """
    tried = candidates(path, beside)
    for candidate in tried:
        if candidate.exists():
            return Path(os.path.normpath(candidate.absolute()))
    hint = _neighbour(tried)
    if what == "dataset":
        if (shipped := shipped_dataset(str(path))) is not None:
            return shipped
        hint = hint or nearest_dataset(str(path))
    shown = ", ".join(dict.fromkeys(os.path.normpath(candidate) for candidate in tried))
    raise MissingFileError(f"The {what} {str(path)!r} is not there.{hint} Looked for: {shown}.")


def _neighbour(tried: list[Path]) -> str:
    """A hint at the file of the most similar name where one was looked for."""
    for candidate in tried:
        with contextlib.suppress(OSError):
            if hint := nearest(candidate.name, [entry.name for entry in candidate.parent.iterdir()]):
                return hint
    return ""
