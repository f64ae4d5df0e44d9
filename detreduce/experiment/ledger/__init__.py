"""The folder of finished cells."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Ledger"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("detreduce.experiment.ledger.ledger"), name)
