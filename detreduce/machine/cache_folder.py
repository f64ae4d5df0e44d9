"""Find the cache folder, which contains files that detreduce can compute again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from detreduce.errors import InputError


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return the cache folder: `cache`, or ``$DETREDUCE_CACHE`` if `cache` is None.

    If neither is set, return the user's cache folder on this system. Raise InputError if `cache` is not a path.
    """
    if not isinstance(cache, str | Path | None):
        raise InputError(f"cache={cache!r} is not a path. Pass the path of a folder.")
    chosen = cache or os.environ.get("DETREDUCE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("detreduce", appauthor=False)
