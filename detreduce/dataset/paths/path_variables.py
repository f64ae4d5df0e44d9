"""Expand ``~`` and environment variables in paths, for example in the path of the folder with all datasets."""

from __future__ import annotations

import os
import re

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
DATA = "DETREDUCE_DATA"
"""The environment variable that names the folder with all datasets that are not part of detreduce."""
_MATERIAL = "DETREDUCE_SHARED"
"""An environment variable for contributors. It names a folder whose subfolder ``data`` contains the datasets."""


def expand(text: str) -> str:
    """Expand ``~`` and environment variables (``${NAME:-default}``) in a text.

    A variable that is not set and has no default stays unchanged. If ``DETREDUCE_DATA`` is not set but
    ``DETREDUCE_SHARED`` is, the value of ``DETREDUCE_DATA`` is ``$DETREDUCE_SHARED/data``.
    """

    def value(match: re.Match[str]) -> str:
        """Return the value of a variable, or its default, or the text unchanged."""
        default = match[2] if match[2] is not None else match[0]
        return _variable(match[1]) or default

    return os.path.expanduser(_VARIABLE.sub(value, text))  # noqa: PTH111 (text, not yet a path)


def _variable(name: str) -> str:
    """Return the value of an environment variable, or an empty string if it is not set.

    The default of ``DETREDUCE_DATA`` is ``$DETREDUCE_SHARED/data``, the data folder of contributors.
    """
    value = os.environ.get(name, "")
    if not value and name == DATA and (material := os.environ.get(_MATERIAL)):
        return os.path.join(material, "data")  # noqa: PTH118 (text, not yet a path)
    return value
