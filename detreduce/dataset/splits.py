"""The names of splits: train, val and test, and the aliases that other programs write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from detreduce.errors import InputError, nearest

CANONICAL = ("train", "val", "test")
ALIASES = {"valid": "val", "validation": "val", "training": "train", "testing": "test"}

T = TypeVar("T")


class MissingSplitError(InputError):
    """Raised if a dataset does not have the requested split. `known` contains the names of the splits that it has."""

    def __init__(self, message: str, known: Iterable[str]) -> None:
        super().__init__(message)
        self.known = tuple(known)


def canonical_split(name: str) -> str:
    """Return train, val or test for one of these names or its aliases, in upper or lower case.

    Return any other name unchanged.
    """
    # convert to a string, because callers in Python may pass anything
    name = str(name)
    lower = name.lower()
    return ALIASES.get(lower, lower if lower in CANONICAL else name)


def unnamed_is_train(splits: Mapping[str, T]) -> dict[str, T]:
    """Rename the split ``default`` to train, unless there is a split train.

    CVAT writes ``default`` for images without a subset.
    """
    return {"train" if name == "default" and "train" not in splits else name: splits[name] for name in splits}


def in_order(splits: Mapping[str, T]) -> dict[str, T]:
    """Return the splits in the order train, val, test, followed by the others sorted by name."""
    others = sorted(name for name in splits if name not in CANONICAL)
    return {name: splits[name] for name in (*CANONICAL, *others) if name in splits}


def choose_split(asked: str, known: Iterable[str], where: Path) -> str:
    """Return the name of the known split that `asked` means.

    Raise MissingSplitError, which lists the known splits, if there is no such split.
    """
    names = list(known)
    split = canonical_split(asked)
    if split in names:
        return split
    known_names = ", ".join(names) if names else "none"
    hint = nearest(str(asked), names)
    raise MissingSplitError(f"{where}: there is no split {asked!r}. Known splits: {known_names}.{hint}", names)
