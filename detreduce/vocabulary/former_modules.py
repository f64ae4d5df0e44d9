"""Module paths that version 0.1 documented. Importing them still works, with a DeprecationWarning."""

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
"""The modules that hold the names of each former module. Pickled reducers name their former module too."""


class FormerModules:
    """An import finder for the modules of `FORMER_MODULES`. Python uses this finder only if all other finders fail.

    It does not inherit from `importlib.abc`: in Python 3.11 that import also loads `tempfile` and `random`, and
    `import detreduce` should stay fast.
    """

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """Return a module spec if `name` is a former path. Otherwise return None."""
        return ModuleSpec(name, self) if name in FORMER_MODULES else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Return None: the import system then creates an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Make every name of the former module refer to the same name in the modules that replaced it."""
        former, successors = module.__name__, FORMER_MODULES[module.__name__]
        warnings.warn(f"{former} is now {', '.join(successors)}.", DeprecationWarning, stacklevel=2)
        modules = [import_module(successor) for successor in successors]

        def get(name: str) -> Any:
            for found in modules:
                if hasattr(found, name):
                    return getattr(found, name)
            raise AttributeError(f"module {former!r} has no attribute {name!r}")

        module.__getattr__ = get  # type: ignore[method-assign]


def keep_former_modules() -> None:
    """Make the modules of `FORMER_MODULES` importable."""
    if not any(isinstance(finder, FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(FormerModules())
