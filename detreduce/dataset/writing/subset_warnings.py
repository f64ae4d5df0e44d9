"""Warnings about a subset that was written."""

from __future__ import annotations

import sys
import warnings

from detreduce.errors import DetreduceWarning


class SubsetWarning(DetreduceWarning):
    """A warning about a subset that was written, for example about lost classes or images that were not linked."""


def warn_about_subset(message: str) -> None:
    """Issue a `SubsetWarning` that points to the code which called this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("detreduce.dataset", "contextlib")
    ):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, SubsetWarning, stacklevel=level)
