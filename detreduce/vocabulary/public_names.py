"""Import the public names of a package at their first use, because torch and ultralytics take seconds to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def import_at_first_use(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` function for a package that imports each public name when the name is first used.

    Parameters
    ----------
    package
        The ``__name__`` of the package.
    modules
        Public name -> path of the module that defines this name.
    """

    def get(name: str) -> Any:
        """Import a public name."""
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return get
