"""Labels of methods with their parameters, also for cells that were trained before a default changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {"herding": {"match": "mmd"}}
"""Method -> parameters whose default changed, with the former default."""


def with_former_defaults(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a cell records, plus the former defaults that it does not record."""
    return {**FORMER_DEFAULTS.get(method, {}), **parameters}


def make_label(method: str, parameters: Mapping[str, Any], composition: Mapping[str, Any]) -> str:
    """Return a method with its recorded parameters and its composition, such as ``mms(start=center)``."""
    extras = [f"{name}={value}" for name, value in sorted(with_former_defaults(method, parameters).items())]
    for name, value in sorted(composition.items()):
        extras.append(name if value is True else f"{name}={_brief(value)}")
    return f"{method}({','.join(extras)})" if extras else method


def _brief(value: Any) -> str:
    """Return a value as text for a label. For a list of images, return the length of the list."""
    if isinstance(value, list):
        return f"{len(value)} images"
    return "+".join(f"{key}:{part}" for key, part in value.items()) if isinstance(value, dict) else str(value)
