"""SHA-256 hashes of bytes, of files and of values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from detreduce.machine.untrusted.regular_files import open_regular

Digest = bytes
"""A SHA-256 hash as 32 raw bytes."""


def content_digest(data: bytes) -> Digest:
    """Return the SHA-256 of `data`, as 32 raw bytes."""
    return hashlib.sha256(data).digest()


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal. Raise OSError if the file cannot be read."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_hash(content: Any) -> str:
    """Return the SHA-256 of a value's JSON text, in hexadecimal. The order of the keys in a mapping does not matter.

    Values of types that JSON does not have are converted with str().
    """
    return content_digest(json.dumps(content, sort_keys=True, default=str).encode()).hex()
