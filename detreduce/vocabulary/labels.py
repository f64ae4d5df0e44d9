"""Labels that name a method together with its parameters, such as ``mms(start=center)``.

Some cells were trained before a default changed. Their labels show the former default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {"herding": {"match": "mmd"}}
"""Method -> the parameters whose default has changed since version 0.1, with their former default values."""


def with_former_defaults(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a cell, and former default values for parameters that the cell does not list."""
    return {**FORMER_DEFAULTS.get(method, {}), **parameters}


def make_label(method: str, parameters: Mapping[str, Any], composition: Mapping[str, Any]) -> str:
    """Return the label of a method: its name, its parameters and its composition, for example ``mms(start=center)``."""
    extras = [f"{name}={value}" for name, value in sorted(with_former_defaults(method, parameters).items())]
    for name, value in sorted(composition.items()):
        extras.append(name if value is True else f"{name}={_brief(value)}")
    return f"{method}({','.join(extras)})" if extras else method


def _brief(value: Any) -> str:
    """Return the value of a composition key as short text. A list of images becomes its length."""
    if isinstance(value, list):
        return f"{len(value)} image{'s' * (len(value) != 1)}"
    return "+".join(f"{key}:{part}" for key, part in value.items()) if isinstance(value, dict) else str(value)
