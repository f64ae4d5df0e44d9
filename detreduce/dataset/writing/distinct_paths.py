"""Paths for the files of an output, all different."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath


def distinct_paths(
    wanted: Iterable[PurePosixPath], key: Callable[[PurePosixPath], PurePosixPath] = lambda path: path
) -> list[PurePosixPath]:
    """Return the wanted paths, with a number added to each path that is already in use: ``a.jpg``, ``a-2.jpg``.

    Two paths are the same if their `key` is the same.
    """
    found: list[PurePosixPath] = []
    taken: set[PurePosixPath] = set()
    for path in wanted:
        place, count = path, 1
        while key(place) in taken:
            count += 1
            place = path.with_name(f"{path.stem}-{count}{path.suffix}")
        taken.add(key(place))
        found.append(place)
    return found
