"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO


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
