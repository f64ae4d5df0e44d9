"""Find names that several classes share.

For example, an export of Roboflow often has two classes called ``car``, and only one of them has boxes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detreduce.dataset.records import DetectionDataset
from detreduce.errors import name_first

RENAME = "To correct this, give each class its own name in the annotation files."


@dataclass(frozen=True, slots=True)
class RepeatedName:
    """A name that several classes share.

    Attributes
    ----------
    name
        The shared name.
    keys
        The keys of the classes with this name.
    used
        The keys of the classes with this name that have boxes in at least one split.
    """

    name: str
    keys: tuple[str, ...]
    used: tuple[str, ...]

    @property
    def mixes_boxes(self) -> bool:
        """Whether several of the classes have boxes, so that results show the name more than once."""
        return len(self.used) > 1

    @property
    def text(self) -> str:
        """What is wrong with the name, without a full stop at the end."""
        shared = f"classes {name_first(self.keys)} share the name {self.name!r}"
        if self.mixes_boxes:
            return f"{shared}; they stay separate"
        return f"{shared}, but {f'only class {self.used[0]} has boxes' if self.used else 'no class has boxes'}"


def find_repeated_names(splits: Iterable[DetectionDataset]) -> list[RepeatedName]:
    """Return the names that several classes share. `splits` are all splits of the same dataset."""
    keys_of: dict[str, dict[str, bool]] = {}
    for split in splits:
        used = set(split.box_classes.tolist())
        for number, (key, name) in enumerate(zip(split.class_keys, split.class_names, strict=True)):
            known = keys_of.setdefault(name, {})
            known[str(key)] = known.get(str(key), False) or number in used
    return [
        RepeatedName(name, tuple(known), tuple(key for key, has_boxes in known.items() if has_boxes))
        for name, known in keys_of.items()
        if len(known) > 1
    ]
