"""Names that a package offers but imports only when they are used: torch and ultralytics take seconds to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def import_at_first_use(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that imports each public name when it is first used.

    Parameters
    ----------
    package
        ``__name__`` of the package.
    modules
        The module of each public name. The name has the same value there.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return get
