"""Find files whose name looks like the name of a missing file: it differs in case, or in its Unicode form."""

from __future__ import annotations

import os

from detreduce.errors import describe_difference, look_of


class FolderNames:
    """The names in folders. Each folder is listed once, and only if a file in it is missing."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, list[str]]] = {}

    def hint(self, path: str) -> str:
        """Return a clause about a file that looks like the missing file `path`, or an empty string."""
        folder, name = os.path.split(path)
        if folder not in self._listed:
            self._listed[folder] = _names_by_look(folder)
        for known in self._listed[folder].get(look_of(name), ()):
            if (what := describe_difference(name, known)) is not None:
                return f" ({known!a} is there; the names differ in {what})"
        return ""


def _names_by_look(folder: str) -> dict[str, list[str]]:
    """Return folded name -> names of the entries of a folder, or an empty dict if it cannot be listed."""
    names: dict[str, list[str]] = {}
    try:
        entries = sorted(os.listdir(folder))  # noqa: PTH208 (pathlib is slower)
    except (OSError, ValueError):
        return names
    for entry in entries:
        names.setdefault(look_of(entry), []).append(entry)
    return names
