"""What kind of JSON a file holds, from its first bytes."""

from __future__ import annotations

from pathlib import Path


def holds_list(file: Path) -> bool:
    """Whether a file begins as a JSON list does; False where it cannot be read."""
    try:
        with file.open("rb") as handle:
            return handle.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    except OSError:
        return False
