"""JPEG files that ultralytics would rewrite where it finds them."""

from __future__ import annotations

import os
from pathlib import Path

START, END = b"\xff\xd8", b"\xff\xd9"


def lacks_end_marker(path: Path) -> bool:
    """Is this a JPEG, whatever its name, whose last two bytes are not its end marker? Reads four bytes.

    Ultralytics saves such files anew in place, which through a link is the source. Raises OSError.
    """
    with path.open("rb") as file:
        if file.read(2) != START:
            return False
        file.seek(-2, os.SEEK_END)
        return file.read() != END
