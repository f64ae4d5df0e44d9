"""Warnings about a subset that was written nevertheless."""

from __future__ import annotations

import sys
import warnings

from detreduce.errors import DetreduceWarning


class SubsetWarning(DetreduceWarning):
    """Something that the owner of a written subset needs to know: lost classes, links that became copies."""


def warn_about_subset(message: str) -> None:
    """Warn with `SubsetWarning`, pointing at the code that called into this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("detreduce.dataset", "contextlib")
    ):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, SubsetWarning, stacklevel=level)
