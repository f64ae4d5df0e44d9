"""Merge several datasets into one new dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from detreduce.dataset.health.counts import load_all_splits
from detreduce.dataset.load import load_dataset
from detreduce.dataset.merging.coco import write_merged_coco
from detreduce.dataset.merging.images import Plan, check_strict, make_plan
from detreduce.dataset.merging.parts import LeftOut, Part, load_datasets, load_parts
from detreduce.dataset.merging.result import MergedSource, MergeResult, merge_record
from detreduce.dataset.merging.yolo import write_merged_yolo
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.reading.loaded_files import LoadedFiles
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.writing.apart import check_apart_from
from detreduce.dataset.writing.dataset_yaml import DATA_YAML
from detreduce.dataset.writing.links import LinkMode, Placer, check_link
from detreduce.dataset.writing.staging import check_replaceable, staged
from detreduce.display.progress import step
from detreduce.errors import InputError, nearest
from detreduce.machine.json_values import json_text

MERGE_FILE = PurePosixPath("merge.json")
FORMATS = ("yolo", "coco")


def merge(
    datasets: Sequence[str | Path | DetectionDataset],
    output: str | Path,
    *,
    format: str | None = None,
    images: str | Path | Sequence[str | Path] = (),
    link: LinkMode = "hardlink",
    strict: bool = False,
    overwrite: bool = False,
    discard_changes: bool = False,
) -> MergeResult:
    """Write the images and labels of several datasets, for example several rounds of labelling, as one new dataset.

    Classes are matched by name, and images stay in their splits. Image files are linked or copied, so they stay the
    same byte for byte. The original datasets are never changed.

    If several datasets contain the same image, byte for byte, it is written only once. Its name and split come from the
    first of these datasets. Its labels come from the last of these datasets that has boxes for the image.

    Parameters
    ----------
    datasets
        Two or more datasets, as paths (see `load_dataset`) or as loaded datasets. All splits are merged. The formats
        may differ.
    output
        A new or empty folder. It appears completely or not at all. Its file ``merge.json`` lists all changes.
    format
        The format of the output. None means ``coco`` if all datasets are COCO, otherwise ``yolo``. YOLO labels keep
        their lines (polygons, oriented boxes, keypoints), and COCO keeps all fields of images and annotations. Datasets
        in any other format are written as YOLO, with boxes only, without polygons and crowd regions.
    images
        The images folder for annotation files that do not name it: one folder for all of these files, or one for each
        of them.
    link
        How to put images into the output: ``hardlink``, ``symlink`` or ``copy``; see `write_subset`.
    strict
        Whether to write nothing if images would be renamed, or if identical images have different labels. Boxes are
        compared, and also polygons, keypoints and attributes if both datasets are YOLO or both are COCO.
    overwrite, discard_changes
        Whether to replace a folder that detreduce wrote; see `write_subset`.

    Raises
    ------
    InputError
        There are fewer than two datasets, a dataset has no labels, or the classes or keypoints do not match. The output
        overlaps a dataset or may not be replaced. `strict` forbids the merge.
    DetreduceError
        The output cannot be written. In this case, no partial output is left behind.

    Warns
    -----
    SubsetWarning
        Something cannot be kept, for example a split with a name that YOLO does not know.
    """
    mode = check_link(link)
    if mode == "list":
        raise InputError("link='list' cannot merge datasets. Use symlink, hardlink or copy.")
    if not isinstance(output, str | os.PathLike) or not str(output):
        raise InputError(f"{output!r} is not a path. Pass the folder for the merged dataset.")
    folders = [images] if isinstance(images, str | Path) else list(images)
    loaded = load_datasets(_listed(datasets), folders)
    wanted = _choose_format(loaded, format)
    target = absolute(Path(output).expanduser())
    for dataset in loaded:
        check_apart_from(target, dataset)
    check_replaceable(target, overwrite=overwrite, discard_changes=discard_changes)
    parts, left_out = load_parts(loaded, yolo=wanted == "yolo")
    with step("comparing images"):
        plan = make_plan(parts, yolo=wanted == "yolo")
    if not plan.shown:
        why_not = f" The first: {left_out[0].image}, {left_out[0].why}." if left_out else ""
        raise InputError(f"The datasets have no image that can be merged.{why_not}")
    if strict and (why := check_strict(plan.renamed, plan.repeated)):
        raise InputError(f"Nothing was merged: {'; '.join(why)}. Leave out strict (--strict) to merge anyway.")
    sources = tuple(_count(dataset, number, parts) for number, dataset in enumerate(loaded))
    record = merge_record(sources, tuple(plan.renamed), tuple(plan.repeated), tuple(left_out))
    files = _files_of(parts)
    with (
        step("writing the merged dataset"),
        staged(target, overwrite=overwrite, discard_changes=discard_changes) as folder,
        files.compared(),
    ):
        placer = Placer(folder, mode, files)
        (write_merged_yolo if wanted == "yolo" else write_merged_coco)(plan, placer)
        placer.write(MERGE_FILE, json_text({"detreduce_merge": 1, "format": wanted, **record}).encode())
        placer.finish()
    return _result(target, wanted, (plan, left_out), sources)


def _listed(datasets: Iterable[str | Path | DetectionDataset]) -> list[str | Path | DetectionDataset]:
    """Return the datasets as a list. A single path or dataset becomes a list with one element."""
    return [datasets] if isinstance(datasets, str | Path | DetectionDataset) else list(datasets)


def _choose_format(datasets: Sequence[DetectionDataset], asked: str | None) -> str:
    """Return the format of the output. Raise InputError if the datasets cannot be written in the requested format."""
    others = [dataset for dataset in datasets if dataset.source.format != "coco"]
    if asked is None:
        return "yolo" if others else "coco"
    if asked not in FORMATS:
        raise InputError(f"format={asked!r} cannot be written. Use yolo or coco.{nearest(str(asked), FORMATS)}")
    if asked == "coco" and others:
        raise InputError(
            f"format='coco' needs COCO datasets, but {others[0].source.typed} is {others[0].source.format}. "
            "Use format='yolo'."
        )
    return asked


def _count(dataset: DetectionDataset, number: int, parts: Sequence[Part]) -> MergedSource:
    """Count the images and boxes of one of the datasets."""
    own = [part.dataset for part in parts if part.number == number]
    boxes = sum(int((~part.box_crowd).sum()) for part in own)
    return MergedSource(dataset.source.typed, dataset.source.format, sum(map(len, own)), boxes)


def _files_of(parts: Sequence[Part]) -> LoadedFiles:
    """Return the recorded state of all files of the datasets. The state was recorded while loading."""
    files = LoadedFiles()
    for part in parts:
        files.add_others(part.dataset.loaded)
    return files


def _result(
    target: Path, format: str, made: tuple[Plan, Sequence[LeftOut]], sources: tuple[MergedSource, ...]
) -> MergeResult:
    """Load the merged dataset, and return the result."""
    plan, left_out = made
    first = "train" if "train" in plan.shown else next(iter(plan.shown))
    dataset = load_dataset(target / DATA_YAML, split=first)
    splits = {name: part for name, part in load_all_splits(dataset)[0].items() if name in plan.shown}
    return MergeResult(
        dataset=dataset,
        output=target,
        format=format,
        splits={name: len(part) for name, part in splits.items()},
        boxes=sum(int((~part.box_crowd).sum()) for part in splits.values()),
        class_names=dataset.class_names,
        sources=sources,
        renamed=tuple(plan.renamed),
        repeated=tuple(plan.repeated),
        left_out=tuple(left_out),
    )
