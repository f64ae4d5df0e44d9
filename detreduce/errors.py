"""Errors that a person can act on; the command line prints them without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import PurePath


class DetreduceError(Exception):
    """Base of every error raised on purpose: the message says what, where and what to do.

    Raised as itself if the machine refuses: disk full, no permission, no memory. Its cause is then the OSError.
    """


class InputError(DetreduceError, ValueError):
    """A value, file or combination of options given by the caller cannot be used."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder named by the caller does not exist; the message says what was tried."""


class ImageReadError(DetreduceError):
    """An image file is truncated or cannot be decoded."""


class DetreduceWarning(UserWarning):
    """Base of every warning raised on purpose; the command line prints them in one line."""


class RandomDrawWarning(DetreduceWarning):
    """A method has no information to choose by and draws at random, for instance with one category."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known name nearest to `word`, or an empty string."""
    match = nearest_name(word, known)
    return f" Did you mean {match!r}?" if match is not None else ""


def nearest_name(word: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to `word`, ignoring case; None if none is near."""
    names = list(known)
    # a shared ending, such as .yaml, must not make two names similar
    ending = PurePath(word).suffix
    shared = ending if any(name.endswith(ending) for name in names) else ""
    stems = {name.removesuffix(shared).casefold(): name for name in names}
    match = difflib.get_close_matches(word.removesuffix(shared).casefold(), stems, n=1, cutoff=0.55)
    return stems[match[0]] if match else None
