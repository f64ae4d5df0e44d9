"""Let every parser read damaged files; see `__main__.py`."""

from __future__ import annotations

from fuzz.campaign import main

__all__ = ["main"]
