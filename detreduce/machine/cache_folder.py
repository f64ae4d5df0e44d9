"""Find the cache folder. It holds files that detreduce can compute again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return the cache folder.

    This is `cache` if given, else ``$DETREDUCE_CACHE`` if set, else the user's cache folder on this system.
    """
    chosen = cache or os.environ.get("DETREDUCE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("detreduce", appauthor=False)
