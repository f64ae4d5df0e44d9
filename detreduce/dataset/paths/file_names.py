"""Check that Python reads file names as UTF-8, so that every program sees the same names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError


@contextmanager
def names_as_utf8() -> Iterator[None]:
    """Raise InputError if code inside the ``with`` block uses a file name that Python cannot encode.

    In UTF-8 mode, Python encodes names as UTF-8. Otherwise, the encoding depends on the locale.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        if reads_utf8():
            raise
        raise _refusal(error.object) from error


def check_file_names(dataset: DetectionDataset) -> None:
    """Raise InputError if the dataset has file names that are not ASCII.

    If Python reads file names as UTF-8, do nothing.
    """
    if reads_utf8():
        return
    # also look at the problems, which list images whose names in an annotation file Python cannot look up
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
