"""Find the image that an annotation file refers to by an upload path, a URL, or a name with a hash in front."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from detreduce.dataset.paths.listing import find_files
from detreduce.dataset.records import IMAGE_SUFFIXES
from detreduce.machine.untrusted.regular_files import is_regular

# Label Studio puts such a hash in front of the names of uploaded and downloaded files
_HASH = re.compile(r"^[0-9a-f]{8}(?:-|__)")


def safe_name(name: str) -> str | None:
    """Return a relative path with ``/`` and without ``./``, or None if the path leads out of the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        return None
    return str(path)


def path_in(reference: str) -> str:
    """Return the path of an image from a reference in an annotation file.

    For example, the path is ``a/1.jpg`` for ``/data/local-files/?d=a/1.jpg``, and ``/a/1.jpg`` for
    ``https://example.org/a/1.jpg``. If the reference is already a path, this path is returned.
    """
    try:
        parts = urlsplit(reference.replace("\\", "/"))
    except ValueError:  # for example because of an invalid IPv6 address in brackets
        return reference.replace("\\", "/")
    if local := parse_qs(parts.query).get("d"):
        found = local[0]
    elif parts.scheme or parts.path.startswith("/data/"):
        found = unquote(parts.path)
    else:
        found = reference
    # there may be backslashes that appeared only now, by decoding
    return found.replace("\\", "/")


class ImageFinder:
    """Searches for images below a folder. The folder is listed only if an image is not at the given path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, reference: str) -> str | None:
        """Return the path of an image relative to the folder, or None if no image or several images match.

        Three ways to match are tried in this order: the path in the reference, its file name, and its file name without
        the hash in front. A file name matches only if exactly one image has it. Files outside the folder are never
        used.
        """
        path = path_in(reference)
        name = safe_name(path)
        if name is not None and is_regular(self.folder / name):
            return name
        last = path.rsplit("/", 1)[-1]
        if not last:
            return None
        by_name, by_bare_name = self._listed
        hits = by_name.get(last) or by_bare_name.get(_HASH.sub("", last), [])
        return hits[0] if len(hits) == 1 else _longest_tail(path, hits)

    @cached_property
    def _listed(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The paths of all images by file name, and by file name without the hash in front."""
        by_name: dict[str, list[str]] = {}
        by_bare_name: dict[str, list[str]] = {}
        for name in find_files(self.folder, IMAGE_SUFFIXES) if self.folder.is_dir() else ():
            last = name.rsplit("/", 1)[-1]
            by_name.setdefault(last, []).append(name)
            by_bare_name.setdefault(_HASH.sub("", last), []).append(name)
        return by_name, by_bare_name


def _longest_tail(path: str, hits: list[str]) -> str | None:
    """Return the hit whose folders agree best with `path`, counted from the file name upwards. None if several tie."""
    # for example, a/x.jpg is the end of mnt/a/x.jpg, but c/a/x.jpg is not
    if whole := [hit for hit in hits if f"/{path}".endswith(f"/{hit}")]:
        return max(whole, key=len)
    wanted = path.split("/")[-2::-1]

    def shared(hit: str) -> int:
        """Return how many folders, from the last one up, a path shares with the wanted path."""
        folders = hit.split("/")[-2::-1]
        pairs = enumerate(zip(folders, wanted, strict=False))
        return next((count for count, (one, other) in pairs if one != other), min(len(folders), len(wanted)))

    counts = {hit: shared(hit) for hit in hits}
    best = [hit for hit in hits if counts[hit] == max(counts.values())]
    return best[0] if len(best) == 1 else None
