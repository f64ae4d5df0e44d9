"""Find a file whose name looks like the name of a missing file, for example ``A.jpg`` if ``a.jpg`` is missing.

Such names differ in upper and lower case, or in their Unicode form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from detreduce.errors import describe_difference, look_of


class NearNames:
    """Finds names that look like a missing name. `list_names` is called at most once, when it is first needed."""

    def __init__(self, list_names: Callable[[], Iterable[str]]) -> None:
        self._list_names = list_names
        self._by_look: dict[str, list[str]] | None = None

    def hint(self, name: str) -> str:
        """Return the end of an error message that names an existing name which looks like the missing `name`.

        Return an empty string if there is no such name.
        """
        if self._by_look is None:
            self._by_look = {}
            for known in sorted(self._list_names()):
                self._by_look.setdefault(look_of(known), []).append(known)
        for known in self._by_look.get(look_of(name), ()):
            if (what := describe_difference(name, known)) is not None:
                return f" ({known!a} exists; the names differ in {what})"
        return ""


class FolderNames:
    """The names of the files in folders. A folder is listed only once, when a file in it is missing."""

    def __init__(self) -> None:
        self._folders: dict[str, NearNames] = {}

    def hint(self, path: str) -> str:
        """Return the end of an error message about the missing file `path` (see `NearNames.hint`)."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = NearNames(lambda: _entries(folder))
        return self._folders[folder].hint(name)


def _entries(folder: str) -> list[str]:
    """Return the names of all entries of a folder, or an empty list if the folder cannot be listed."""
    try:
        return os.listdir(folder)  # noqa: PTH208 (pathlib is slower)
    except (OSError, ValueError):
        return []
