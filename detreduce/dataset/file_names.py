"""Check that Python reads file names as UTF-8, so that a dataset has the same names for every program."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError


@contextmanager
def names_as_utf8() -> Iterator[None]:
    """Raise InputError if a non-ASCII file name cannot be encoded in the file system encoding of Python.

    Python reads file names in the encoding of the locale, unless it runs in UTF-8 mode.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        if reads_utf8():
            raise
        raise _refusal(error.object) from error


def check_file_names(dataset: DetectionDataset) -> None:
    """Raise InputError if the dataset has non-ASCII file names, but Python does not read file names as UTF-8."""
    if reads_utf8():
        return
    # a name from an annotation file that Python cannot look up is listed as a missing image
    names = [record.name for record in dataset] + [str(problem) for problem in dataset.problems]
    for name in names:
        if not name.isascii():
            raise _refusal(name)


def reads_utf8() -> bool:
    """Return whether Python reads file names as UTF-8."""
    return sys.getfilesystemencoding().lower() in ("utf-8", "utf8")


def _refusal(name: str) -> InputError:
    return InputError(
        f"{name!a}: the name is not ASCII, but this Python reads file names as {sys.getfilesystemencoding()}. "
        "Set the environment variable PYTHONUTF8=1, or start Python with -X utf8."
    )
