"""Module paths of version 0.1. They can still be imported, with a DeprecationWarning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_METHODS = "detreduce.reducers.methods"
FORMER_MODULES = {
    "detreduce.config": ("detreduce.experiment.config",),
    "detreduce.explanation": ("detreduce.selection.explanation",),
    "detreduce.object_table": ("detreduce.arrays.object_table",),
    "detreduce.proxy_log": ("detreduce.arrays.proxy_log",),
    "detreduce.reducers.budget": ("detreduce.reducers.engine.budget",),
    "detreduce.reducers.conformance": ("detreduce.reducers.testing.conformance",),
    "detreduce.reducers.extrapolation": (f"{_METHODS}.extrapolate",),
    "detreduce.reducers.geometric": tuple(f"{_METHODS}.{name}" for name in ("mms", "rkm", "des", "clc")),
    "detreduce.reducers.gradmatch": (f"{_METHODS}.gradmatch",),
    "detreduce.reducers.groups": ("detreduce.reducers.engine.groups",),
    "detreduce.reducers.neighbourhood": tuple(f"{_METHODS}.{name}" for name in ("facility", "moderate")),
    "detreduce.reducers.objectwise": tuple(f"{_METHODS}.{name}" for name in ("class_coverage", "csod", "herding")),
    "detreduce.reducers.pool": ("detreduce.reducers.engine.pool",),
    "detreduce.reducers.ranking": tuple(f"{_METHODS}.{name}" for name in ("nrmd", "phl")),
    "detreduce.reducers.sequence": (f"{_METHODS}.stride",),
    "detreduce.reducers.statistic": tuple(f"{_METHODS}.{name}" for name in ("srs", "first", "prd")),
    "detreduce.reducers.training_aware": tuple(f"{_METHODS}.{name}" for name in ("vps", "forgetting", "el2n", "aum")),
    "detreduce.reducers.wrapper": (f"{_METHODS}.fes",),
}
"""Path of a former module -> the modules that now define its names. Old pickles of reducers contain these paths too."""


class FormerModules:
    """An import finder that makes the modules of `FORMER_MODULES` importable.

    Python asks this finder only after all other finders have failed. The class does not inherit from `importlib.abc`,
    because importing that module is slow in Python 3.11.
    """

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """Return a module spec if `name` is the path of a former module, or else None."""
        return ModuleSpec(name, self) if name in FORMER_MODULES else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Return None, which makes the import system create an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Emit the DeprecationWarning, and make the former module return names from the modules that replaced it."""
        former, successors = module.__name__, FORMER_MODULES[module.__name__]
        warnings.warn(f"{former} is now {', '.join(successors)}.", DeprecationWarning, stacklevel=2)
        modules = [import_module(successor) for successor in successors]

        def get(name: str) -> Any:
            """Return a name from the modules that replaced the former module."""
            for found in modules:
                if hasattr(found, name):
                    return getattr(found, name)
            raise AttributeError(f"module {former!r} has no attribute {name!r}")

        module.__getattr__ = get  # type: ignore[method-assign]


def keep_former_modules() -> None:
    """Install the import finder for `FORMER_MODULES`, unless it is already installed."""
    if not any(isinstance(finder, FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(FormerModules())
