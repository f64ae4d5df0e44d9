"""Module paths that version 0.1 documented. Importing them still works, with a DeprecationWarning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

FORMER_MODULES = {
    "detreduce.config": "detreduce.experiment.config",
    "detreduce.explanation": "detreduce.selection.explanation",
    "detreduce.object_table": "detreduce.arrays.object_table",
    "detreduce.proxy_log": "detreduce.arrays.proxy_log",
    "detreduce.reducers.budget": "detreduce.reducers.engine.budget",
    "detreduce.reducers.conformance": "detreduce.reducers.testing.conformance",
    "detreduce.reducers.groups": "detreduce.reducers.engine.groups",
    "detreduce.reducers.pool": "detreduce.reducers.engine.pool",
}


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
        """Make every name of the former module refer to the same name in the module that replaced it."""
        successor = FORMER_MODULES[module.__name__]
        warnings.warn(f"{module.__name__} is now {successor}.", DeprecationWarning, stacklevel=2)
        real = import_module(successor)
        module.__getattr__ = lambda name: getattr(real, name)  # type: ignore[method-assign]


def keep_former_modules() -> None:
    """Make the modules of `FORMER_MODULES` importable."""
    if not any(isinstance(finder, FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(FormerModules())
