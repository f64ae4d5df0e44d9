"""The images that were chosen from a split, and the other splits that are written together with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from detreduce.dataset.joined_classes import join_classes
from detreduce.dataset.reading.loaded_files import LoadedFiles
from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord, Source
from detreduce.dataset.splits import in_order
from detreduce.dataset.writing.frame_format import FrameFormat
from detreduce.dataset.writing.links import require_images
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.numbers import counted
from detreduce.errors import InputError, nearest
from detreduce.machine.untrusted.regular_files import LABELS, is_regular, read_regular


@dataclass(frozen=True)
class Choice:
    """The images that were chosen from a dataset.

    Attributes
    ----------
    dataset
        The split from which images were chosen.
    image_ids
        The ids of the chosen images, in the order of the choice.
    load_split
        Function that loads another split of a source.
    others
        Other splits of the source that are already loaded, keyed by name.
    frames
        The image format in which frames of videos are written.
    held_out
        The new splits that are taken out of `dataset`: the ids of their images, keyed by the name of the split.
    """

    dataset: DetectionDataset
    image_ids: tuple[ImageId, ...]
    load_split: Callable[[Source, str], DetectionDataset]
    others: Mapping[str, DetectionDataset] = field(default_factory=dict)
    frames: FrameFormat = field(default_factory=FrameFormat)
    held_out: Mapping[str, tuple[ImageId, ...]] = field(default_factory=dict)

    @cached_property
    def files(self) -> LoadedFiles:
        """The state of the dataset's files when they were loaded. `load_other` adds the files of the other splits."""
        return self.dataset.loaded.copy()

    @property
    def everything(self) -> bool:
        """Whether every image of the dataset was chosen."""
        return len(self.image_ids) == len(self.dataset)

    @property
    def chosen(self) -> list[ImageRecord]:
        """The records of the chosen images, in the order of the choice."""
        return [self.dataset[self.dataset.row_of[image_id]] for image_id in self.image_ids]

    @property
    def kept(self) -> tuple[ImageRecord, ...]:
        """The records of the chosen images, in the order of the dataset."""
        ids = set(self.image_ids)
        return tuple(record for record in self.dataset if record.id in ids)

    def check_lists(self) -> None:
        """Raise OSError if an annotation file, a list or a YAML has vanished since the dataset was loaded."""
        source = self.dataset.source
        for split in source.splits.values():
            for path in (source.path, split.annotations, *split.images):
                if path is not None and path in self.files:
                    path.stat()

    def check_unchanged(self) -> None:
        """Raise InputError or OSError if a chosen image or its label file has changed since the dataset was loaded."""
        for record in self.kept:
            self.files.check_image(record.file)
            if record.label_path is not None and record.label_path in self.files:
                read_regular(record.label_path, LABELS)

    def load_other(self, split: str) -> DetectionDataset | None:
        """Return another split of the source. If it cannot be read, warn and return None."""
        try:
            other = self.others[split] if split in self.others else self.load_split(self.dataset.source, split)
        except InputError as error:
            warn_about_subset(f"The {split} split cannot be read and was not written: {error}")
            return None
        self.files.add_others(other.loaded)
        return other

    @property
    def split_names(self) -> list[str]:
        """The names of the splits in the output: the splits of the source, and the new splits that are taken out of
        `dataset`.
        """
        return list(in_order(dict.fromkeys([*self.dataset.source.splits, *self.held_out])))

    def load_others(self) -> dict[str, DetectionDataset]:
        """Return all splits except the dataset's own one. Splits that cannot be read are left out with a warning."""
        new = {split: self._hold_out(split) for split in self.held_out}
        names = [split for split in self.split_names if split != self.dataset.split]
        loaded = {split: new[split] if split in new else self.load_other(split) for split in names}
        return {split: other for split, other in loaded.items() if other is not None}

    def _hold_out(self, split: str) -> DetectionDataset:
        """Return the images of the dataset that form the new split `split`."""
        ids = set(self.held_out[split])
        return replace(self.dataset, split=split, records=tuple(record for record in self.dataset if record.id in ids))

    def load_records(self) -> dict[str, tuple[ImageRecord, ...]]:
        """Return the records to write for each split, with the splits in the order of the source.

        The reduced split has the chosen images. Any other split has all images whose file exists. Warn if the class ids
        of the splits disagree. Raise InputError if the classes of the splits cannot be matched by name.
        """
        others = self.load_others()
        if notice := join_classes(in_order({self.dataset.split: self.dataset, **others})).notice:
            warn_about_subset(notice)
        splits: dict[str, tuple[ImageRecord, ...]] = {}
        for split in self.split_names:
            if split == self.dataset.split:
                splits[split] = self.kept
            elif split in others:
                splits[split] = records_on_disk(others[split])
        return splits


def records_on_disk(dataset: DetectionDataset) -> tuple[ImageRecord, ...]:
    """Return the records whose image file exists, and warn about missing files."""
    there = tuple(record for record in dataset if is_regular(record.file))
    if len(there) < len(dataset):
        missing = len(dataset) - len(there)
        warn_about_subset(f"{counted(missing, 'missing image was', 'missing images were')} not written.")
    return there


def readable_records(split: str, records: tuple[ImageRecord, ...]) -> tuple[ImageRecord, ...]:
    """Return the records whose labels can be read.

    Warn about the others, which are left out because they must not become background images.
    """
    readable = tuple(record for record in records if not record.unreadable)
    if count := len(records) - len(readable):
        warn_about_subset(
            f"{counted(count, f'image of the {split} split has', f'images of the {split} split have')} labels "
            f"that cannot be read, and {'was' if count == 1 else 'were'} left out. `detreduce inspect` lists them."
        )
    return readable


def check_choice(choice: Choice) -> None:
    """Raise InputError if there are no ids, if ids are unknown or repeated, or if image files are missing."""
    dataset, ids = choice.dataset, choice.image_ids
    if not ids:
        raise InputError("The selection is empty. Keep at least one image.")
    seen: set[ImageId] = set()
    for image_id in ids:
        if image_id not in dataset.row_of:
            known = [str(known) for known in dataset.image_ids]
            raise InputError(
                f"Image {image_id!r} of the selection is not in the {dataset.split} split of {dataset.source.path}."
                f"{nearest(str(image_id), known)}"
            )
        if image_id in seen:
            raise InputError(f"Image {image_id!r} is in the selection twice. Pass each id once.")
        seen.add(image_id)
    require_images(dict.fromkeys(record.file for record in choice.kept))
