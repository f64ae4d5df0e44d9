"""The result of a merge: the merged datasets, and which images were renamed, repeated or left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detreduce.dataset.merging.images import Renamed, Repeated
from detreduce.dataset.merging.parts import LeftOut
from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted


@dataclass(frozen=True)
class MergedSource:
    """One of the merged datasets: its path, its format, and its number of images and boxes in all splits."""

    path: Path
    format: str
    images: int
    boxes: int


@dataclass(frozen=True)
class MergeResult:
    """The result of `merge`.

    Attributes
    ----------
    dataset
        The split train of the merged dataset, loaded from the output folder. If there is no split train, the first
        split.
    output
        The folder with the merged dataset.
    format
        The format of the merged dataset, ``yolo`` or ``coco``.
    splits
        The number of images in each split, keyed by the name of the split.
    boxes
        The number of boxes in all splits, without crowd regions.
    class_names
        The names of the classes. The classes of the first dataset come first.
    sources
        The merged datasets.
    renamed
        The images that got another name, because an earlier dataset has an image with their name.
    repeated
        The images that an earlier dataset contains too. They were written only once.
    left_out
        The images that could not be merged, for example because their file is missing.
    """

    dataset: DetectionDataset
    output: Path
    format: str
    splits: Mapping[str, int]
    boxes: int
    class_names: tuple[str, ...]
    sources: tuple[MergedSource, ...]
    renamed: tuple[Renamed, ...]
    repeated: tuple[Repeated, ...]
    left_out: tuple[LeftOut, ...]

    def __repr__(self) -> str:
        return (
            f"MergeResult({counted(sum(self.splits.values()), 'image')} of "
            f"{counted(len(self.sources), 'dataset')}, {str(self.output)!r})"
        )

    @property
    def images(self) -> int:
        """The number of images in all splits."""
        return sum(self.splits.values())

    @property
    def conflicts(self) -> tuple[Repeated, ...]:
        """The images that an earlier dataset contains too, but with other labels."""
        return tuple(one for one in self.repeated if one.conflict)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as values that JSON can store. ``merge.json`` in the output has the same content."""
        return {
            "data": str(self.dataset.source.path),
            "format": self.format,
            "splits": dict(self.splits),
            "images": self.images,
            "boxes": self.boxes,
            "classes": list(self.class_names),
            **merge_record(self.sources, self.renamed, self.repeated, self.left_out),
        }


def merge_record(
    sources: tuple[MergedSource, ...],
    renamed: tuple[Renamed, ...],
    repeated: tuple[Repeated, ...],
    left_out: tuple[LeftOut, ...],
) -> dict[str, Any]:
    """Return what a merge did, as values that JSON can store."""
    return {
        "sources": [_plain(one) for one in sources],
        "renamed": [_plain(one) for one in renamed],
        "repeated": [_plain(one) for one in repeated],
        "left_out": [_plain(one) for one in left_out],
    }


def _plain(one: MergedSource | Renamed | Repeated | LeftOut) -> dict[str, Any]:
    """Return the fields of a record as a dict, with paths as strings."""
    return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(one).items()}
