"""From a dataset to a smaller one: one request with its checks and steps, for Python, the command and experiments."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# imported at first use: the checks of names come before anything that takes long to import
_HOMES = {
    "Output": "detreduce.reduction.request",
    "Reduction": "detreduce.reduction.steps",
    "ReductionRequest": "detreduce.reduction.request",
    "ReductionResult": "detreduce.reduction.steps",
    "reduce": "detreduce.reduction.run",
    "run_reduction": "detreduce.reduction.run",
}
__all__ = ["Output", "Reduction", "ReductionRequest", "ReductionResult", "reduce", "run_reduction"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
