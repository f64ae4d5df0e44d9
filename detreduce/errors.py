"""Errors and warnings with messages for the user. The command line prints errors without a traceback."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePath


class DetreduceError(Exception):
    """The base class of all errors that detreduce raises. The message says what is wrong, where, and what to do.

    DetreduceError itself is raised if the disk is full, a permission is missing or memory runs out. Its ``__cause__``
    is the original error.
    """


class InputError(DetreduceError, ValueError):
    """A value, a file or a combination of options from the caller cannot be used."""


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that the caller named does not exist. The message lists the paths that were tried."""


class ImageReadError(DetreduceError):
    """An image file is truncated or cannot be decoded."""


class DetreduceWarning(UserWarning):
    """The base class of all warnings that detreduce emits. The command line prints each warning in one line."""


class RandomDrawWarning(DetreduceWarning):
    """A method chooses at random because it has no other information, for example with only one category."""


def name_first(texts: Sequence[object], most: int = 3) -> str:
    """Return the first texts and the number of the others, such as ``a, b, c, and 7 more``."""
    more = f", and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(map(str, texts[:most])) + more


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` with the known name most similar to `word`, or an empty string.

    If the two names look the same, the text describes the difference.
    """
    match = nearest_name(word, known)
    if match is None:
        return ""
    if (what := describe_difference(word, match)) is not None:
        # letters that look the same are shown as codes
        shown = repr(match) if match.casefold() == word.casefold() else ascii(match)
        return f" Did you mean {shown}? The names differ in {what}."
    return f" Did you mean {match!r}?"


def describe_difference(one: str, other: str) -> str | None:
    """Describe the difference between two names that look the same. Return None if they do not look the same."""
    if one == other or look_of(one) != look_of(other):
        return None
    form = "the Unicode form of their letters (composed or decomposed)"
    case = "upper and lower case"
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return form
    return case if one.casefold() == other.casefold() else f"{case}, and in {form}"


def look_of(name: str) -> str:
    """Return a text that is equal for all names that look the same. Upper and lower case do not matter."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def nearest_name(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to `word`, ignoring case. Return None if no name is similar."""
    names = list(known)
    look = look_of(word)
    if lookalikes := [name for name in names if name != word and look_of(name) == look]:
        return lookalikes[0]
    # a shared ending, such as .yaml, must not make two names similar
    ending = PurePath(word).suffix
    shared = ending if any(name.endswith(ending) for name in names) else ""
    stems = {name.removesuffix(shared).casefold(): name for name in names}
    match = difflib.get_close_matches(word.removesuffix(shared).casefold(), stems, n=1, cutoff=0.55)
    return stems[match[0]] if match else None
