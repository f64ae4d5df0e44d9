"""Where detreduce keeps what it can make again: never beside the source."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(cache: str | Path | None = None) -> Path:
    """The folder for caches: `cache`, else ``$DETREDUCE_CACHE``, else the user's cache folder."""
    chosen = cache or os.environ.get("DETREDUCE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("detreduce", appauthor=False)
