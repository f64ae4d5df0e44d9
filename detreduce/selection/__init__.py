"""Choose images, and the file that records the choice."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# imported at first use: reading a selection does not import what choosing needs
_HOMES = {
    "Selection": "detreduce.selection.record",
    "explain": "detreduce.selection.explanation",
    "select": "detreduce.selection.choose",
}
__all__ = ["Selection", "explain", "select"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
