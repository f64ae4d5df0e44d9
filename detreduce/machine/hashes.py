"""SHA-256 of bytes, of files and of JSON: one function for each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

Digest = bytes
"""The 32 raw bytes of a SHA-256."""


def content_digest(data: bytes) -> Digest:
    """Return the SHA-256 of bytes, raw."""
    return hashlib.sha256(data).digest()


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal; raises OSError."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_hash(content: Any) -> str:
    """Return the SHA-256 of JSON-able content in hexadecimal; the order of a mapping's keys does not matter.

    What JSON lacks counts as its text.
    """
    return content_digest(json.dumps(content, sort_keys=True, default=str).encode()).hex()
