"""The cache folder: it has files that detreduce can compute again. Nothing is stored next to the dataset."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return the cache folder.

    It is `cache` if given, else ``$DETREDUCE_CACHE`` if set, else the user's cache folder of the system.
    """
    chosen = cache or os.environ.get("DETREDUCE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("detreduce", appauthor=False)
