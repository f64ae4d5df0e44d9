"""Load every split of the datasets to merge, and check that they can be merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detreduce.dataset.formats.registry import get_format
from detreduce.dataset.formats.yolo.image_places import missing_suffix
from detreduce.dataset.health.counts import load_all_splits
from detreduce.dataset.health.leaks import TRAIN, find_leaks
from detreduce.dataset.load import load_any_split, takes_images
from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.dataset.splits import CANONICAL
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import is_regular


@dataclass(frozen=True)
class Part:
    """One split of one of the datasets.

    Attributes
    ----------
    number
        The position of the dataset among the datasets, counted from 0.
    split
        The split of the merged dataset to which the images go.
    dataset
        The images that can be merged.
    """

    number: int
    split: str
    dataset: DetectionDataset

    @property
    def name(self) -> str:
        """What messages call the part: the path of the dataset, its position and its split."""
        return f"{self.dataset.source.typed} (dataset {self.number + 1}, {self.dataset.split})"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An image of a split that is not merged, and the reason. The split is named as in its dataset."""

    image: Path
    why: str
    split: str


def load_datasets(
    datasets: Sequence[str | Path | DetectionDataset], images: Sequence[str | Path] = ()
) -> list[DetectionDataset]:
    """Return all datasets as loaded datasets. A dataset that is given as a path is loaded.

    `images` contains the images folders of annotation files that do not name their folder. Pass one folder for all of
    these files, or one folder for each of them. Raise InputError if there are fewer than two datasets, or if the number
    of folders does not fit. Also raise InputError if a dataset is named twice or has no labels.
    """
    if isinstance(datasets, str | Path | DetectionDataset) or len(datasets) < 2:
        raise InputError("Pass at least two datasets to merge.")
    takers = [number for number, one in enumerate(datasets) if _takes_images(one)]
    if len(images) > 1 and len(images) != len(takers):
        raise InputError(
            f"{len(images)} folders of images were passed for {counted(len(takers), 'annotation file')}. Pass one "
            "folder for all of these files, or one for each, in their order."
        )
    if images and not takers:
        raise InputError("None of the datasets is an annotation file, so leave out the folder of images (--images).")
    given = dict(zip(takers, list(images) * (len(takers) if len(images) == 1 else 1), strict=False))
    loaded = [
        one if isinstance(one, DetectionDataset) else load_any_split(one, given.get(number))
        for number, one in enumerate(datasets)
    ]
    seen: set[Path] = set()
    for dataset in loaded:
        path = dataset.source.path.resolve()
        if not get_format(dataset.source.format).labelled or not dataset.labelled:
            raise InputError(f"{dataset.source.typed}: the images have no labels, so there is nothing to merge.")
        if path in seen:
            raise InputError(f"{dataset.source.typed} is named twice. Name each dataset once.")
        seen.add(path)
    return loaded


def _takes_images(one: str | Path | DetectionDataset) -> bool:
    """Return whether a dataset is an annotation file that does not name its images folder."""
    return not isinstance(one, DetectionDataset) and takes_images(Path(one))


def load_parts(datasets: Iterable[DetectionDataset], *, yolo: bool) -> tuple[list[Part], list[LeftOut]]:
    """Return all splits of the datasets, and the images that cannot be merged.

    If `yolo` is True, there are two more rules. Images whose labels cannot be read are left out, because they would
    become background images. The images of a split other than train, val and test go to train. Such a split is ignored
    if it only repeats images of train, val and test, for example VOC's split trainval.

    A val or test split that consists of the images of train is ignored. Raise InputError if a split cannot be loaded.
    """
    parts, left_out = [], []
    for number, dataset in enumerate(datasets):
        splits, unloaded = load_all_splits(dataset)
        for problem in unloaded:
            raise InputError(str(problem))
        splits = _without_copies(dataset, splits)
        names = _canonical(splits) if yolo else {name: name for name in splits}
        for name, split in names.items():
            kept = []
            for record in splits[name]:
                why = _why_left_out(record, yolo=yolo)
                if why:
                    left_out.append(LeftOut(record.path, why, name))
                else:
                    kept.append(record)
            parts.append(Part(number, split, replace(splits[name], records=tuple(kept))))
    return parts, left_out


def _without_copies(dataset: DetectionDataset, splits: dict[str, DetectionDataset]) -> dict[str, DetectionDataset]:
    """Return the splits without a val and a test that are the train split.

    In the merged dataset, such a split would be one of many, so that nobody could see that its images are in train.
    """
    leaks = find_leaks(splits)
    copies = [name for name in CANONICAL if name != TRAIN and name in splits and leaks.is_whole(TRAIN, name)]
    for name in copies:
        warn_about_subset(
            f"{dataset.source.typed}: {name} is the train split, so its images are merged as train only. "
            "To hold out images, use `detreduce split` with the merged dataset."
        )
    return {name: part for name, part in splits.items() if name not in copies}


def _canonical(splits: dict[str, DetectionDataset]) -> dict[str, str]:
    """Map the name of each split to train, val or test.

    A split that only repeats images of these three splits is left out.
    """
    found = {name: name for name in splits if name in CANONICAL}
    covered = {record.path for name in found for record in splits[name]}
    for name, part in splits.items():
        if name in CANONICAL or {record.path for record in part} <= covered:
            continue
        found[name] = "train"
        if name != "trainval":
            warn_about_subset(f"{part.source.typed}: the split {name!r} became part of train.")
    return found


def _why_left_out(record: ImageRecord, *, yolo: bool) -> str:
    """Return why an image cannot be merged, or an empty string if it can."""
    if not is_regular(record.path):
        return "the image file is missing"
    if yolo and not record.trainable:
        return "its labels cannot be read"
    if yolo and missing_suffix(record) is None:
        return "ultralytics cannot read its format"
    return ""
