"""Find out from the first bytes of a JSON file whether the file holds a list."""

from __future__ import annotations

from pathlib import Path


def holds_list(file: Path) -> bool:
    """Return whether a file starts like a JSON list. Return False if the file cannot be read."""
    try:
        with file.open("rb") as handle:
            return handle.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    except OSError:
        return False
