"""Read text files that list the images of a split."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from detreduce.dataset.reading.near_names import FolderNames
from detreduce.dataset.reading.text_lines import is_utf16, text_lines
from detreduce.dataset.records import IMAGE_SUFFIXES, Problem
from detreduce.display.numbers import counted
from detreduce.errors import MissingFileError
from detreduce.machine.untrusted.regular_files import LISTS, is_regular, read_regular

PREFIX = "data/"


def read_list(file: Path, root: Path, problems: list[Problem]) -> list[str]:
    """Return the paths of the images in a list file. Add a problem for each image that does not exist.

    A line may refer to several paths (see `listed_places`). The first one that exists is used.
    """
    data = read_regular(file, LISTS)
    lines, latin = text_lines(data), False
    paths = []
    missing = 0
    names = FolderNames()
    backslashes: list[int] = []
    for number, line in enumerate(lines, 1):
        entry = line.strip()
        if not entry:
            continue
        if os.path.splitext(entry)[1].lower() not in IMAGE_SUFFIXES:  # noqa: PTH122
            problems.append(Problem(file, f"{entry[:80]!r} is not the name of an image file; left out", number))
            continue
        hit = _first_file(listed_places(entry, file, root))
        if hit is None and not entry.isprintable():
            # there is no such file, but the list and the file names may have different encodings
            hit = _first_file(listed_places(os.fsencode(entry).decode("latin-1"), file, root))
            latin = latin or hit is not None
        if hit is None:
            missing += 1
            hint = next(filter(None, map(names.hint, listed_places(entry, file, root))), "")
            problems.append(Problem(file, f"image {entry!r} does not exist{hint}; left out", number))
            continue
        if "\\" in entry and os.sep == "/" and not hit.endswith(entry):
            backslashes.append(number)
        paths.append(hit)
    problems += _describe_form(file, data, lines, backslashes)
    if latin:
        problems.append(Problem(file, "not UTF-8: read as Latin-1"))
    if missing and not paths:
        raise MissingFileError(f"{file}: none of its images ({missing:,}) exists below {root} or next to the list.")
    return paths


def listed_places(entry: str, file: Path, root: Path) -> list[str]:
    """Return the paths that a line of a list file may refer to, most likely first.

    ``./x`` is relative to the folder of the list. ``x`` is relative to the root, to the folder of the list or to the
    working folder. ``data/x`` may also mean ``x``, because CVAT adds the folder ``data`` to its paths. A backslash may
    mean ``/``, because programs on Windows write backslashes.
    """
    places: dict[str, None] = {}
    for text in [entry, entry.replace("\\", "/")] if "\\" in entry else [entry]:
        bases = [file.parent] if text.startswith("./") else [root, file.parent, Path.cwd()]
        for spelling in [text, text[len(PREFIX) :]] if text.startswith(PREFIX) else [text]:
            places |= {os.path.normpath(os.path.join(base, spelling)): None for base in bases}  # noqa: PTH118
    return list(places)


def _first_file(places: Iterable[str]) -> str | None:
    """Return the first of some paths that is a file, or None."""
    return next((place for place in places if is_regular(place)), None)


def _describe_form(file: Path, data: bytes, lines: list[str], backslashes: list[int]) -> list[Problem]:
    """Return a problem for each property of a list that detreduce accepts and ultralytics does not, such as UTF-16."""
    found = []
    if is_utf16(data):
        found.append(Problem(file, "UTF-16; ultralytics cannot read this list. Save the list as UTF-8"))
    if backslashes:
        what = (
            f"{counted(len(backslashes), 'line has', 'lines have')} backslashes; ultralytics finds these "
            "images on Windows only"
        )
        found.append(Problem(file, what, backslashes[0]))
    # ultralytics strips blanks from the whole text, but not from each line
    padded = [number for number, line in enumerate(lines, 1) if line.strip() and line.strip("\r\n") != line.strip()]
    filled = [number for number, line in enumerate(lines, 1) if line.strip()]
    if padded and padded[-1] == filled[-1] and lines[padded[-1] - 1].lstrip() == lines[padded[-1] - 1]:
        padded.pop()
    if padded:
        what = (
            f"{counted(len(padded), 'line has', 'lines have')} blanks around the path; ultralytics does not "
            "find these images"
        )
        found.append(Problem(file, what, padded[0]))
    return found
