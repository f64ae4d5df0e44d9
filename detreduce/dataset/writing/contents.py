"""What a subset consists of: the chosen images of one split, and every other split as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from detreduce.dataset.load import load_split
from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord
from detreduce.dataset.writing.links import require_images
from detreduce.dataset.writing.subset_warnings import notice
from detreduce.errors import InputError, nearest


@dataclass(frozen=True)
class Choice:
    """A dataset and the images chosen from it, in the order chosen; `everything` where none is left out."""

    dataset: DetectionDataset
    image_ids: tuple[ImageId, ...]

    @property
    def everything(self) -> bool:
        """True where the reduced dataset is the full one."""
        return len(self.image_ids) == len(self.dataset)

    @property
    def chosen(self) -> list[ImageRecord]:
        """Records of the chosen images, in the order chosen."""
        return [self.dataset[self.dataset.row_of[image_id]] for image_id in self.image_ids]

    @property
    def kept(self) -> tuple[ImageRecord, ...]:
        """Records of the chosen images, in the dataset's order."""
        ids = set(self.image_ids)
        return tuple(record for record in self.dataset if record.id in ids)


def make_choice(dataset: DetectionDataset, image_ids: Iterable[ImageId]) -> Choice:
    """Check the ids against the dataset; raises InputError for unknown, doubled or no ids and missing image files."""
    ids = tuple(image_ids)
    if not ids:
        raise InputError("The selection is empty; keep at least one image.")
    seen: set[ImageId] = set()
    for image_id in ids:
        if image_id not in dataset.row_of:
            known = [str(known) for known in dataset.image_ids]
            raise InputError(
                f"Image {image_id!r} of the selection is not in the {dataset.split} split of {dataset.source.path}."
                f"{nearest(str(image_id), known)}"
            )
        if image_id in seen:
            raise InputError(f"Image {image_id!r} is in the selection twice.")
        seen.add(image_id)
    choice = Choice(dataset, ids)
    require_images(record.path for record in choice.kept)
    return choice


def load_others(dataset: DetectionDataset) -> dict[str, DetectionDataset]:
    """Load every split but the dataset's own; one that cannot be read is named in a warning and left out."""
    others = {}
    for split in dataset.source.splits:
        if split == dataset.split:
            continue
        try:
            others[split] = load_split(dataset.source, split)
        except InputError as error:
            notice(f"The {split} split is left out, since it cannot be read: {error}")
    return others


def in_split_order(choice: Choice, others: Mapping[str, DetectionDataset]) -> dict[str, tuple[ImageRecord, ...]]:
    """Records of every split in the source's order: the kept ones, then all whose image file is there."""
    splits: dict[str, tuple[ImageRecord, ...]] = {}
    for split in choice.dataset.source.splits:
        if split == choice.dataset.split:
            splits[split] = choice.kept
        elif split in others:
            there = tuple(record for record in others[split] if record.path.is_file())
            if len(there) < len(others[split]):
                notice(f"{len(others[split]) - len(there)} images of the {split} split are missing and left out.")
            splits[split] = there
    return splits
