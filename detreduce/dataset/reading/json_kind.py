"""Find out from the first bytes of a JSON file whether it contains a list."""

from __future__ import annotations

from pathlib import Path

from detreduce.machine.untrusted.regular_files import open_regular


def holds_list(file: Path) -> bool:
    """Return whether a file begins like a JSON list. Return False if the file cannot be read."""
    try:
        with open_regular(file) as handle:
            return handle.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    except OSError:
        return False
