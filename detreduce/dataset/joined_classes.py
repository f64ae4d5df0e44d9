"""Match the classes of several splits by name, because a category id is valid only in its own annotation file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from detreduce.dataset.records import DetectionDataset, Problem
from detreduce.errors import InputError

_SHOWN = 5


@dataclass(frozen=True)
class JoinedClasses:
    """The classes of several splits, matched by name.

    Attributes
    ----------
    names
        The name of each class. The classes of the first split come first, in their order, followed by classes that
        occur only in other splits.
    numbers
        Maps the name of a split to the numbers of its classes. The number of a class is its index in `names`.
    disagreements
        Descriptions of ids that mean different classes in different splits. Empty if all ids agree.
    spellings
        Descriptions of names that differ only in upper and lower case or blanks. One split has boxes of the first name
        only, and another split has boxes of the second name only.
    """

    names: tuple[str, ...]
    numbers: Mapping[str, tuple[int, ...]]
    disagreements: tuple[str, ...]
    spellings: tuple[str, ...] = ()

    @property
    def notice(self) -> str | None:
        """Sentences about ids that mean different classes in different splits, and about names that are nearly equal.

        None if there is nothing to say.
        """
        ids = f"The class ids of the splits disagree ({_shown(self.disagreements)}). "
        joined = f"{ids}The splits are joined by class name." if self.disagreements else None
        return " ".join(filter(None, (joined, self.spelling_notice))) or None

    @property
    def spelling_notice(self) -> str | None:
        """A sentence about names that differ only in upper and lower case, or None if there are none."""
        if not self.spellings:
            return None
        return (
            f"Class names differ only in upper and lower case or blanks ({_shown(self.spellings)}), so they are "
            "different classes. Write them alike if they mean the same class."
        )


def join_classes(splits: Mapping[str, DetectionDataset]) -> JoinedClasses:
    """Match the classes of the splits by name. Raise InputError if names are not enough to identify the classes.

    If several classes of a split have the same name, they are matched by name and id.
    """
    spellings = tuple(_find_spellings(splits))
    parts = list(splits.values())
    names = parts[0].class_names if parts else ()
    if len(set(names)) == len(names) and all(_same_classes(parts[0], part) for part in parts):
        # the usual case: with 50,000 classes, the checks take a second
        return JoinedClasses(names, dict.fromkeys(splits, tuple(range(len(names)))), (), spellings)
    _check_joinable(splits)
    repeated = {name for part in splits.values() for name in _repeated_names(part)}
    place: dict[tuple[str, int | str | None], int] = {}
    numbers: dict[str, tuple[int, ...]] = {}
    for split, part in splits.items():
        own = []
        for key, name in zip(part.class_keys, part.class_names, strict=True):
            own.append(place.setdefault((name, key if name in repeated else None), len(place)))
        numbers[split] = tuple(own)
    return JoinedClasses(tuple(name for name, _ in place), numbers, tuple(_find_disagreements(splits)), spellings)


def _same_classes(one: DetectionDataset, other: DetectionDataset) -> bool:
    return one.class_names == other.class_names and tuple(one.class_keys) == tuple(other.class_keys)


def class_problems(splits: Mapping[str, DetectionDataset]) -> list[Problem]:
    """Return a problem if the ids of the splits disagree, or if the classes of the splits cannot be matched."""
    try:
        notice = join_classes(splits).notice
    except InputError as error:
        notice = str(error)
    first = next(iter(splits.values()))
    place = first.source.splits.get(first.split)
    file = (place.annotations if place is not None else None) or first.source.path
    return [Problem(file, notice)] if notice else []


def _shown(texts: tuple[str, ...]) -> str:
    """Return the first texts, and the number of the others."""
    more = len(texts) - _SHOWN
    return "; ".join(texts[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _find_spellings(splits: Mapping[str, DetectionDataset]) -> list[str]:
    """Describe pairs of names that differ only in upper and lower case or blanks, if two splits write one class so."""
    used = {
        split: {part.class_names[number] for number in np.unique(part.box_classes).tolist()}
        for split, part in splits.items()
    }
    spelt: dict[str, dict[str, str]] = {}
    for split, names in used.items():
        for name in sorted(names):
            spelt.setdefault("".join(name.casefold().split()), {}).setdefault(name, split)
    return [
        f"{one!r} in {split}, but {other!r} in {later}"
        for names in spelt.values()
        for (one, split), (other, later) in combinations(names.items(), 2)
        if one not in used[later] and other not in used[split]
    ]


def _repeated_names(part: DetectionDataset) -> set[str]:
    """Return the names that several classes of a split share."""
    seen: set[str] = set()
    return {name for name in part.class_names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]


def _find_disagreements(splits: Mapping[str, DetectionDataset]) -> list[str]:
    """Describe each id that has different names in two splits, and each name that has different ids in two splits."""
    found: dict[str, None] = {}
    name_of: dict[int | str, tuple[str, str]] = {}
    keys_of: dict[str, tuple[set[int | str], str]] = {}
    for split, part in splits.items():
        pairs = list(zip(part.class_keys, part.class_names, strict=True))
        own: dict[str, set[int | str]] = {}
        for key, name in pairs:
            own.setdefault(name, set()).add(key)
            before, where = name_of.setdefault(key, (name, split))
            if before != name:
                found[f"id {key!r} is {before!r} in {where}, but {name!r} in {split}"] = None
        for name, keys in own.items():
            known, where = keys_of.setdefault(name, (keys, split))
            # if an id has two names, it was described above
            if not known & keys and not any(name_of[key][0] != name for key in keys):
                found[f"{name!r} has the id {_list(known)} in {where}, but {_list(keys)} in {split}"] = None
    return list(found)


def _check_joinable(splits: Mapping[str, DetectionDataset]) -> None:
    """Raise InputError if the classes of the splits cannot be matched by name."""
    keys_of: dict[str, dict[str, set[int | str]]] = {}
    for split, part in splits.items():
        for key, name in zip(part.class_keys, part.class_names, strict=True):
            keys_of.setdefault(name, {}).setdefault(split, set()).add(key)
    for name, by_split in keys_of.items():
        largest = max(by_split.values(), key=len)
        if len(largest) > 1 and not all(keys <= largest for keys in by_split.values()):
            shown = ", ".join(f"{split}: {_list(keys)}" for split, keys in by_split.items())
            raise InputError(
                f"Several classes have the name {name!r}, and their ids differ between the splits ({shown}), so the "
                "splits cannot be joined by class name. Give each class its own name."
            )
    name_of: dict[int | str, tuple[str, str]] = {}
    for split, part in splits.items():
        for key, name in zip(part.class_keys, part.class_names, strict=True):
            before, where = name_of.setdefault(key, (name, split))
            # a category without a name has its id as its name
            if before != name and isinstance(key, int) and str(key) in (before, name):
                without = where if before == str(key) else split
                raise InputError(
                    f"The category {key!r} has no name in {without}, so the splits cannot be joined by class name. "
                    "Add the name to the annotations."
                )


def _list(keys: set[int | str]) -> str:
    """Return the ids as text, sorted."""
    return ", ".join(repr(key) for key in sorted(keys, key=lambda key: (isinstance(key, str), key)))
