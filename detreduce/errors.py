"""Errors that a person can act on. The command line prints them without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import PurePath


class DetreduceError(Exception):
    """The base of every error that detreduce raises. The message says what is wrong, where, and what to do.

    This class itself is raised if the machine refuses: disk full, no permission, no memory. The cause is the OSError.
    """


class InputError(DetreduceError, ValueError):
    """A value, a file or a combination of options from the caller cannot be used."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that the caller named does not exist. The message says which paths were tried."""


class ImageReadError(DetreduceError):
    """An image file is truncated or cannot be decoded."""


class DetreduceWarning(UserWarning):
    """The base of every warning that detreduce raises. The command line prints each warning in one line."""


class RandomDrawWarning(DetreduceWarning):
    """A method has no information to choose by, so it chooses at random; for example, if there is only one category."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` with the known name most similar to `word`, or an empty string."""
    match = nearest_name(word, known)
    return f" Did you mean {match!r}?" if match is not None else ""


def nearest_name(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to `word`, ignoring case. Return None if no name is similar."""
    names = list(known)
    # a shared ending, such as .yaml, must not make two names similar
    ending = PurePath(word).suffix
    shared = ending if any(name.endswith(ending) for name in names) else ""
    stems = {name.removesuffix(shared).casefold(): name for name in names}
    match = difflib.get_close_matches(word.removesuffix(shared).casefold(), stems, n=1, cutoff=0.55)
    return stems[match[0]] if match else None
