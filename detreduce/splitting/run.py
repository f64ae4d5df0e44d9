"""Hold out images of train as a new val or test split: check, find copies, stratify, write."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from detreduce.dataset.groups import assign_groups
from detreduce.dataset.health.checks import images_by_class
from detreduce.dataset.health.counts import load_all_splits
from detreduce.dataset.health.leaks import TRAIN, find_leaks
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.suggested_command import inspect_command, reduce_command, split_command
from detreduce.dataset.write import check_output, holds_out_as, write_split
from detreduce.dataset.writing.destination import Destination
from detreduce.dataset.writing.links import LinkMode
from detreduce.dataset.writing.staging import claimed_output
from detreduce.display.listener import say
from detreduce.display.numbers import counted
from detreduce.duplicates.between import PartSearch
from detreduce.duplicates.clusters import cluster_labels
from detreduce.duplicates.result import warn_not_compared
from detreduce.duplicates.search import draw_by_id, near_duplicates
from detreduce.errors import DetreduceWarning, InputError, name_first
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.splitting.stratify import assign_parts

SHARE = 0.2
"""Share of train that becomes val by default."""
HELD_OUT = ("val", "test")


@dataclass(frozen=True)
class SplitResult:
    """The result of `split_dataset`.

    Attributes
    ----------
    dataset
        The train split, loaded from the output.
    output
        The folder with the dataset.
    images
        Name of a split -> number of images. Only train and the new splits.
    classes
        Name of a split -> class name -> number of images with this class.
    replaced
        Names of the val and test splits of the source that contained exactly the images of train, for example
        ``("val",)``. The output either has no such split, or a new split with the same name.
    together
        Number of images that were not assigned alone, because they have a near-duplicate or belong to a group of
        several images.
    """

    dataset: DetectionDataset
    output: Path
    images: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    replaced: tuple[str, ...] = ()
    together: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-able values."""
        return {
            "data": str(self.dataset.source.path),
            "images": dict(self.images),
            "classes": {split: dict(counts) for split, counts in self.classes.items()},
            "replaced": list(self.replaced),
            "together": self.together,
        }


def split_dataset(
    dataset: DetectionDataset,
    output: str | Path,
    val: float | int | None = None,
    test: float | int | None = None,
    seed: int = 0,
    *,
    groups: str | None = None,
    link: LinkMode = "hardlink",
    cache: str | Path | None = None,
    overwrite: bool = False,
    discard_changes: bool = False,
) -> SplitResult:
    """Hold out images of train as a new val or test split, and write the whole dataset to a new folder.

    Near-duplicates stay in the same split, and so do the images of one group. Therefore no image of a new split has a
    copy in train. As far as this allows, every split has the same proportions of classes (iterative stratification).

    Parameters
    ----------
    dataset
        The train split.
    output, overwrite, discard_changes
        The new folder; see `write_subset`.
    val, test
        How many images to hold out: a fraction of train (0.2) or a number of images (200). If both are None, a fifth of
        train becomes val. If an existing val or test split contains exactly the images of train, the output does not
        have this split, or has a new one. Other existing splits do not change.
    seed
        Seed of the random order of images.
    groups
        Rule that assigns each image to a group, for instance a video; see `select`.
    link
        ``hardlink``, ``symlink`` or ``copy``; see `write_subset`.
    cache
        Folder for image signatures; see `near_duplicates`.

    Raises
    ------
    InputError
        The dataset has no labels or too few images, or it already has the requested split. The error is also raised if
        no image can be held out, because too many images belong together. It is also raised if the output folder must
        not be overwritten.
    DetreduceError
        The output cannot be written. No partial output is left.
    """
    _check_source(dataset)
    if dataset.problems:
        text = f"Problems in the files of train: {name_first(dataset.problems, 1)}."
        warnings.warn(f"{text} To list all: `{inspect_command(dataset)}`", DetreduceWarning, stacklevel=2)
    source, replaced, wanted = _plan(dataset, val, test)
    check_output(source, Destination(output, link, overwrite=overwrite, discard_changes=discard_changes))
    if "val" not in wanted and "val" not in source.source.splits:
        _warn_without_val(dataset, test, seed, groups)
    with claimed_output(Path(output)):
        parts, clusters = _divide(source, list(wanted.values()), seed, groups, cache)
        ids = np.array(source.image_ids, object)
        held_out = {name: ids[parts == place].tolist() for place, name in enumerate(wanted, 1)}
        if lost := [name for name, chosen in held_out.items() if not chosen]:
            why = _why_none_fit(source, clusters, wanted, lost[0], groups)
            raise InputError(f"{source.source.typed}: no image can be held out as {lost[0]}, because {why}")
        if (format := holds_out_as(source)) != source.source.format:
            say(f"Format: a {source.source.format} dataset is written as {format}, with boxes only.")
        written = write_split(source, held_out, output, link=link, overwrite=overwrite, discard_changes=discard_changes)
    shown = {TRAIN: source.image_ids, **held_out}
    chosen = {name: set(images) for name, images in shown.items()}
    chosen[TRAIN] -= {image for name, images in held_out.items() for image in images}
    pieces = {
        name: replace(source, split=name, records=tuple(record for record in source if record.id in images))
        for name, images in chosen.items()
    }
    return SplitResult(
        written,
        Path(output),
        {name: len(piece) for name, piece in pieces.items()},
        {name: images_by_class(piece) for name, piece in pieces.items()},
        replaced,
        int((np.bincount(clusters) > 1)[clusters].sum()),
    )


def _warn_without_val(dataset: DetectionDataset, test: float | int | None, seed: int, groups: str | None) -> None:
    """Warn that the new dataset has no val split. Suggest one command that holds out both splits.

    A second command for the same dataset would write another dataset, without the first split.
    """
    options = ["--test", str(test), *["--seed", str(seed)] * (seed != 0)]
    options += ["--groups", groups] if groups is not None else []
    warnings.warn(
        "The new dataset has no val split. Ultralytics needs this split to train. To hold out both splits: "
        f"`{split_command(dataset, options=options)}`",
        DetreduceWarning,
        stacklevel=3,
    )


def _why_none_fit(
    dataset: DetectionDataset,
    clusters: npt.NDArray[np.int64],
    wanted: Mapping[str, int],
    lost: str,
    groups: str | None,
) -> str:
    """Return why a new split would be empty, and what to do. `clusters` (n,) is the cluster of each image."""
    together = "images of one group or near-duplicates" if groups is not None else "near-duplicates"
    images = np.bincount(clusters)
    # an image with unreadable labels stays in train, and so does its cluster
    movable = images[np.bincount(clusters, _stays_in_train(dataset)) == 0]
    if len(movable) < len(wanted) + (len(movable) == len(images)):
        number = (
            f"all {len(dataset)} images belong" if len(images) == 1 else f"too many of the {len(dataset)} images belong"
        )
        return (
            f"{number} together ({together}), and such images stay in one split. "
            f"Add {'images of other groups, or use another rule for groups' if groups is not None else 'other images'}."
        )
    if (least := int(movable.min())) > wanted[lost]:
        return (
            f"always at least {least} images belong together ({together}), and "
            f"{counted(wanted[lost], 'was', 'were')} asked for. Hold out at least {least} images as {lost}."
        )
    return f"too many images belong together ({together}). Hold out another number of images as {lost}."


def _stays_in_train(dataset: DetectionDataset) -> npt.NDArray[np.bool_]:
    """Return an (n,) mask of the images that must not be held out, because they have no usable labels."""
    return np.array([not record.trainable for record in dataset], np.bool_)


def _check_source(dataset: DetectionDataset) -> None:
    """Raise InputError if no split can be taken from the dataset."""
    name = dataset.source.typed
    if dataset.split != TRAIN:
        raise InputError(f"{name}: new splits are taken from train, not from {dataset.split}. Pass the train split.")
    if not dataset.labelled or not np.any(~dataset.box_crowd):
        raise InputError(f"{name}: there are no boxes, so no detector can be evaluated on a new split. Label images.")
    if missing := [record.path for record in dataset if not is_regular(record.path)]:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(f"{name}: the image {missing[0]}{more} is missing. Restore it, or remove it from the dataset.")


def _plan(
    dataset: DetectionDataset, val: float | int | None, test: float | int | None
) -> tuple[DetectionDataset, tuple[str, ...], dict[str, int]]:
    """Return the dataset without the replaced splits, the names of these splits, and the size of each new split."""
    name = dataset.source.typed
    splits, _ = load_all_splits(dataset)
    leaks = find_leaks(splits)
    replaced = tuple(split for split in HELD_OUT if split in splits and leaks.is_whole(TRAIN, split))
    own = [split for split in HELD_OUT if split not in replaced and len(splits.get(split, ()))]
    asked = {split: size for split, size in zip(HELD_OUT, (val, test), strict=True) if size is not None}
    if not asked and "val" not in own:
        asked = {"val": SHARE}
    if taken := [split for split in asked if split in own] or (own if not asked else []):
        shared = [split for split in taken if leaks.counts.get((TRAIN, split))]
        command = reduce_command(dataset, "--keep", "all", "--drop-leaked", suffix="without-leaks")
        free = [f"--{split}" for split in HELD_OUT if split not in own]
        advice = (
            f"To remove its images from train: `{command}`"
            if shared
            else f"To hold out another split, use {free[0]} alone."
            if free
            else "This command only adds a split that is missing."
        )
        raise InputError(
            f"{name} has a {taken[0]} split of {counted(len(splits[taken[0]]), 'image')} already. {advice}"
        )
    sizes = {split: _resolve(split, size, len(dataset)) for split, size in asked.items()}
    if sum(sizes.values()) >= len(dataset):
        words = " and ".join(f"{count} for {split}" for split, count in sizes.items())
        raise InputError(f"{name}: {words} leave no image of the {len(dataset)} in train. Hold out fewer images.")
    gone = {*replaced, *sizes}
    kept = {split: place for split, place in dataset.source.splits.items() if split not in gone}
    return replace(dataset, source=replace(dataset.source, splits=kept)), replaced, sizes


def _resolve(split: str, size: float | int, images: int) -> int:
    """Return the size of a new split as a number of images. Raise InputError if `size` is not valid."""
    try:
        return resolve_keep(size, images)
    except InputError as error:
        raise InputError(str(error).replace("keep=", f"{split}=")) from None


def _divide(
    dataset: DetectionDataset, sizes: list[int], seed: int, groups: str | None, cache: str | Path | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the part and the cluster of each image as (n,) arrays. Images of one cluster stay together.

    The first search for near-duplicates may miss a pair of images with a copy in common. Therefore the parts are
    compared with each other after each assignment. If two images in different parts match, they are joined, and all
    images are assigned again.
    """
    labels = assign_groups(dataset, groups) if groups is not None else list(range(len(dataset)))
    _, numbers = np.unique(np.array(labels), return_inverse=True)
    first: dict[int, int] = {}
    pairs = [(row, first.setdefault(int(number), row)) for row, number in enumerate(numbers)]
    row_of = dataset.row_of
    found = near_duplicates(dataset, seed=seed, cache=cache)
    warn_not_compared(found.problems)
    pairs += [(row_of[pair.copy], row_of[pair.kept]) for pair in found.pairs]
    drawn = draw_by_id(dataset.image_ids, seed, "split")
    fixed = _stays_in_train(dataset)
    present = csr_array((dataset.sparse_class_counts > 0).astype(np.int64))
    search = PartSearch(dataset, cache)
    while True:
        clusters = cluster_labels(pairs, len(dataset))
        parts = assign_parts(clusters, present, sizes, drawn, fixed)
        if not (more := search.pairs(parts)):
            return parts, clusters
        pairs += more
