"""Find the image that an annotation file means by an upload path, a URL, or a name with a hash in front."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from detreduce.dataset.listing import find_files
from detreduce.dataset.records import IMAGE_SUFFIXES

# Label Studio puts such hashes in front of the names of uploads and downloads
_HASH = re.compile(r"^[0-9a-f]{8}(?:-|__)")


def safe_name(name: str) -> str | None:
    """Return a file name with ``/`` and without ``./``; None where it leads out of its folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        return None
    return str(path)


def path_in(reference: str) -> str:
    """Return the path in a reference: the path of a URL, or x of ``/data/local-files/?d=x``."""
    parts = urlsplit(reference.replace("\\", "/"))
    if local := parse_qs(parts.query).get("d"):
        return local[0]
    return unquote(parts.path) if parts.scheme or parts.path.startswith("/data/") else reference.replace("\\", "/")


class ImageFinder:
    """Finds images below one folder; the folder is listed once an image is not where its reference says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, reference: str) -> str | None:
        """Return the image's path below the folder, with ``/``; None where no image or several images match.

        Tries the path of the reference, then the only image with that file name, then the only image with that name
        without leading hashes. Never looks outside the folder.
        """
        path = path_in(reference)
        name = safe_name(path)
        if name is not None and os.path.isfile(self.folder / name):  # noqa: PTH113 (an odd text must not raise)
            return name
        last = path.rsplit("/", 1)[-1]
        if not last:
            return None
        by_name, by_bare_name = self._listed
        hits = by_name.get(last) or by_bare_name.get(_HASH.sub("", last), [])
        return hits[0] if len(hits) == 1 else None

    @cached_property
    def _listed(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        by_name: dict[str, list[str]] = {}
        by_bare_name: dict[str, list[str]] = {}
        for name in find_files(self.folder, IMAGE_SUFFIXES) if self.folder.is_dir() else ():
            last = name.rsplit("/", 1)[-1]
            by_name.setdefault(last, []).append(name)
            by_bare_name.setdefault(_HASH.sub("", last), []).append(name)
        return by_name, by_bare_name
