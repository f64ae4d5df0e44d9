"""The errors that a person can do something about; the command line prints them without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import PurePath


class DetreduceError(Exception):
    """Base of every error raised on purpose: its message says what, where and what to do."""


class InputError(DetreduceError, ValueError):
    """A value, file or combination of options given by the caller cannot be used."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder named by the caller is not there; the message says what was tried."""


class ImageReadError(DetreduceError):
    """An image file is truncated or cannot be decoded."""


class DetreduceWarning(UserWarning):
    """Base of every warning raised on purpose; the command line prints them in one line."""


class RandomDrawWarning(DetreduceWarning):
    """A method has nothing to go by and draws at random, for instance with one category."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known name nearest to `word`, or an empty string."""
    match = nearest_name(word, known)
    return f" Did you mean {match!r}?" if match is not None else ""


def nearest_name(word: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to `word`, small letters and capitals taken for the same, if one is near."""
    names = list(known)
    # an ending that some share, as .yaml, makes no two names alike
    ending = PurePath(word).suffix
    shared = ending if any(name.endswith(ending) for name in names) else ""
    stems = {name.removesuffix(shared).casefold(): name for name in names}
    match = difflib.get_close_matches(word.removesuffix(shared).casefold(), stems, n=1, cutoff=0.55)
    return stems[match[0]] if match else None
