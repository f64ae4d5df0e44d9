"""Expand ``~`` and environment variables in paths, such as the folder of all datasets."""

from __future__ import annotations

import os
import re

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
DATA = "DETREDUCE_DATA"
"""The environment variable with the folder of all datasets that are not part of detreduce."""
_MATERIAL = "DETREDUCE_SHARED"
"""The environment variable of contributors: a folder whose folder ``data`` contains the datasets."""


def expand(text: str) -> str:
    """Expand ``~`` and environment variables, ``${NAME:-default}``, in a text. An unset variable without a default
    stays unchanged.

    If ``DETREDUCE_DATA`` is not set, the folder ``data`` in ``DETREDUCE_SHARED`` is used.
    """

    def value(match: re.Match[str]) -> str:
        """Return the value of the variable, or the default."""
        default = match[2] if match[2] is not None else match[0]
        return _variable(match[1]) or default

    return os.path.expanduser(_VARIABLE.sub(value, text))  # noqa: PTH111 (text, not yet a path)


def _variable(name: str) -> str:
    """Return the value of an environment variable, or "".

    For ``DETREDUCE_DATA``, the data folder of contributors (``DETREDUCE_SHARED``) is the second choice.
    """
    value = os.environ.get(name, "")
    if not value and name == DATA and (material := os.environ.get(_MATERIAL)):
        return os.path.join(material, "data")  # noqa: PTH118 (text, not yet a path)
    return value
