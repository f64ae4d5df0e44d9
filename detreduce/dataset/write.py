"""Write a subset of a dataset by filtering the original files. The rest of their text stays unchanged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol, runtime_checkable

from detreduce.dataset.formats.format import Write
from detreduce.dataset.formats.registry import all_formats, get_format
from detreduce.dataset.formats.videos.row import VIDEOS
from detreduce.dataset.formats.yolo.convert import convert_to_yolo
from detreduce.dataset.formats.yolo.write import write_yolo
from detreduce.dataset.load import load_dataset, load_split
from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.paths.outside import outside_notice
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.suggested_command import reduce_command
from detreduce.dataset.views.predicted import as_given
from detreduce.dataset.writing.apart import check_apart_from
from detreduce.dataset.writing.choice import Choice, check_choice, records_on_disk
from detreduce.dataset.writing.dataset_yaml import DATA_YAML, SELECTION_FILE, SPLIT_FILE
from detreduce.dataset.writing.destination import Destination
from detreduce.dataset.writing.frame_format import FrameFormat
from detreduce.dataset.writing.links import LinkMode, Placer, check_link
from detreduce.dataset.writing.report import SubsetReport, subset_report
from detreduce.dataset.writing.staging import check_replaceable, staged
from detreduce.dataset.writing.subset_warnings import SubsetWarning, warn_about_subset
from detreduce.display.progress import step
from detreduce.errors import InputError, nearest
from detreduce.machine.json_values import json_text

__all__ = [
    "LinkMode",
    "SubsetReport",
    "SubsetWarning",
    "check_output",
    "holds_out_as",
    "subset_report",
    "write_repeated_list",
    "write_split",
    "write_subset",
    "write_yolo_view",
]


@runtime_checkable
class ChosenImages(Protocol):
    """An object that contains the ids of the chosen images, in the order of the choice.

    If the object has a method `to_json`, its result is written as selection.json.
    """

    @property
    def image_ids(self) -> Iterable[ImageId]:
        """The ids of the chosen images, in the order of the choice."""


def write_subset(
    dataset: DetectionDataset,
    selection: ChosenImages | Iterable[ImageId],
    output: str | Path,
    *,
    link: LinkMode = "hardlink",
    format: Literal["yolo"] | str | None = None,
    overwrite: bool = False,
    discard_changes: bool = False,
    files: Mapping[str, bytes] | None = None,
    others: Mapping[str, DetectionDataset] | None = None,
    frames: str = "jpg",
) -> DetectionDataset:
    """Write the chosen images of a split in the dataset's format, and the other splits unchanged.

    The output has the same folders and file names as the original dataset, plus a ``selection.json``. A YOLO
    ``data.yaml`` works from any working folder, even after the output was moved. The original dataset is never changed.

    Parameters
    ----------
    dataset
        The split to reduce. The other splits are loaded from the same source, unless `others` contains them.
    selection
        A Selection, or image ids in the order of the choice.
    output
        A new or empty folder. If `overwrite` is True, it may also be a folder that detreduce wrote. The folder appears
        completely or not at all.
    link
        How to put images into the output. ``hardlink`` makes hard links, or copies if the file system does not allow
        hard links. ``symlink`` makes absolute symbolic links. ``copy`` copies the images. ``list`` writes no images,
        but lists, filtered annotations and a data.yaml that point to the original images (only for YOLO, COCO and
        unlabelled images). Labels are always copied, except with ``list``.
    format
        The format of the output. None means the format of the original dataset. With ``yolo``, labels are made from the
        boxes, without polygons and crowd regions.
    overwrite
        Whether to replace a folder at `output` that detreduce wrote before. A folder is not replaced if it contains
        files that detreduce did not write or that somebody has changed.
    discard_changes
        Whether `overwrite` may replace the folder even if this deletes such files.
    files
        The content of further files to write into the folder, keyed by the name of the file.
    others
        Other splits of the dataset that are already loaded, keyed by name.
    frames
        For videos, the image format in which frames are written: ``jpg`` or ``png``. ``jpg:90`` sets the quality of
        JPEG files, from 1 to 100. The default quality is 95.

    Returns
    -------
    DetectionDataset
        The reduced split, loaded from `output`.

    Raises
    ------
    InputError
        Image ids are unknown or repeated, or image files are missing. The output overlaps the original dataset or may
        not be replaced. A file of the dataset has changed since it was loaded.
    DetreduceError
        The disk is full or not writable, or another process is writing to `output`, which stays unchanged.

    Warns
    -----
    SubsetWarning
        A class lost all of its boxes or keeps far less than its share, images were copied instead of linked, a split
        could not be read, or the selection was made from another dataset.
    """
    dataset = as_given(dataset)  # predicted boxes are never written as labels
    mode = _check_mode(dataset, link)
    write = _find_writer(dataset, format)
    chosen = selection.image_ids if isinstance(selection, ChosenImages) else selection
    choice = Choice(dataset, tuple(chosen), load_split, others or {}, FrameFormat.parse(frames))
    check_choice(choice)
    target = _target(output)
    replacing = {"overwrite": overwrite, "discard_changes": discard_changes}
    with step("writing the reduced dataset"), _open_output(target, choice, mode, **replacing) as placer:
        reload = write(choice, placer, target)
        if mode == "list":
            choice.check_unchanged()
        placer.write(SELECTION_FILE, _selection_json(selection, choice))
        for name, content in (files or {}).items():
            placer.write(PurePosixPath(name), content)
        placer.finish()
    _check_provenance(selection, dataset)
    for warning in (*subset_report(dataset, choice.image_ids).warnings, outside_notice(dataset)):
        if warning:
            warn_about_subset(warning)
    return reload()


def write_split(
    dataset: DetectionDataset,
    held_out: Mapping[str, Iterable[ImageId]],
    output: str | Path,
    *,
    link: LinkMode = "hardlink",
    overwrite: bool = False,
    discard_changes: bool = False,
) -> DetectionDataset:
    """Move images of one split to new splits, and write the result as a new dataset.

    Return the rest of the split, loaded from the output. The output contains all images of `dataset`. The other splits
    are written unchanged. If one of them has the same name as a new split, the new split replaces it. If the format of
    the dataset does not support new splits, the output is YOLO (see `holds_out_as`). The file ``split.json`` lists the
    images of each split.

    Parameters
    ----------
    dataset
        The split from which the new splits are taken.
    held_out
        The ids of the images of each new split, keyed by the name of the split.
    output, overwrite, discard_changes
        See `write_subset`.
    link
        ``hardlink``, ``symlink`` or ``copy``; see `write_subset`.

    Raises
    ------
    InputError
        A split would have no images, `link` is ``list``, or `write_subset` would raise an InputError.
    """
    dataset = as_given(dataset)
    mode = check_link(link)
    if mode == "list":
        raise InputError("link='list' cannot be used to write new splits. Use symlink, hardlink or copy.")
    parts = {split: tuple(ids) for split, ids in held_out.items()}
    taken = {image_id for ids in parts.values() for image_id in ids}
    rest = tuple(image_id for image_id in dataset.image_ids if image_id not in taken)
    if empty := [name for name, ids in {dataset.split: rest, **parts}.items() if not ids]:
        raise InputError(f"The split {empty[0]} would have no images. Hold out another number of images.")
    row = get_format(holds_out_as(dataset))
    write = row.write if row.name == dataset.source.format else row.convert
    assert write is not None, "a format without new splits is converted"
    choice = Choice(dataset, rest, load_split, held_out=parts)
    check_choice(replace(choice, image_ids=tuple(dataset.image_ids)))
    target = _target(output)
    replacing = {"overwrite": overwrite, "discard_changes": discard_changes}
    with step("writing the dataset"), _open_output(target, choice, mode, **replacing) as placer:
        reload = write(choice, placer, target)
        placer.write(SPLIT_FILE, _split_json(choice))
        placer.finish()
    return reload()


def holds_out_as(dataset: DetectionDataset) -> str:
    """Return the format in which a dataset can be written with new splits.

    This is the dataset's own format. If it does not support new splits, the result is ``yolo``.
    """
    own = get_format(dataset.source.format)
    return own.name if own.holds_out else "yolo"


def write_repeated_list(
    dataset: DetectionDataset,
    image_ids: Sequence[ImageId],
    output: str | Path,
    *,
    overwrite: bool = False,
    discard_changes: bool = False,
) -> Path:
    """Write a list of images in which an image may occur several times, and a data.yaml to train on this list.

    The folder contains neither images nor labels; its lists name the original images. Return the path of the data.yaml.
    Raise InputError if the dataset is not YOLO, if the output may not be replaced, or if an image is missing.
    """
    dataset = as_given(dataset)
    _check_listed(dataset)
    choice = Choice(dataset, tuple(image_ids), load_split)
    check_choice(replace(choice, image_ids=tuple(dict.fromkeys(image_ids))))
    target = _target(output)
    replacing = {"overwrite": overwrite, "discard_changes": discard_changes}
    with step("writing the list"), _open_output(target, choice, "list", **replacing) as placer:
        write_yolo(choice, placer, target)
        choice.check_unchanged()
        placer.finish()
    return target / DATA_YAML


def check_repeated_list(dataset: DetectionDataset, output: str | Path, *, overwrite: bool = False) -> None:
    """Raise those errors of `write_repeated_list` that do not depend on the list of images."""
    _check_listed(dataset)
    check_output(dataset, Destination(output, "list", overwrite=overwrite))


def _check_listed(dataset: DetectionDataset) -> None:
    """Raise InputError if ultralytics would not find the labels of images in a list."""
    if dataset.source.format != "yolo":
        # keep all images, even near-duplicates
        options = ("--method", "first", "--keep", "1.0", "--format", "yolo")
        command = reduce_command(dataset, *options, suffix="yolo")
        raise InputError(
            f"{dataset.source.typed}: a list needs a YOLO label file for each image, but this dataset is "
            f"{dataset.source.format}. Convert it first: `{command}`"
        )


def check_output(dataset: DetectionDataset, output: Destination) -> None:
    """Raise those errors of `write_subset` that do not depend on the chosen images."""
    _check_mode(dataset, output.link)
    FrameFormat.parse(output.frames)
    _find_writer(dataset, output.format)
    target = _target(output.folder)
    check_apart_from(target, dataset)
    check_replaceable(target, overwrite=output.overwrite, discard_changes=output.discard_changes)


def write_yolo_view(source: str | Path | DetectionDataset, output: str | Path, *, link: LinkMode = "symlink") -> Path:
    """Write a whole dataset of any format as a YOLO folder in which ultralytics may write its caches.

    All splits are written. YOLO labels are copied byte for byte. Labels of any other format are converted. Ultralytics
    needs the key ``val:`` in the data.yaml. If there is no val split, ``val:`` names the test split. If there is no
    test split either, ``val:`` names the train split.

    Parameters
    ----------
    source
        A path as for `load_dataset`, or one loaded split of a dataset. The other splits are loaded.
    output
        A new or empty folder.
    link
        How to put images into the folder: ``symlink``, ``hardlink`` or ``copy``.

    Returns
    -------
    pathlib.Path
        The path of the data.yaml.

    Raises
    ------
    InputError
        The dataset has no labels, or `output` is not empty or overlaps the dataset.
    """
    mode = check_link(link)
    if mode == "list":
        raise InputError("link='list' would let ultralytics write next to the source. Use symlink, hardlink or copy.")
    dataset = as_given(source) if isinstance(source, DetectionDataset) else load_dataset(source)
    choice = Choice(dataset, tuple(record.id for record in records_on_disk(dataset)), load_split)
    target = _target(output)
    with _open_output(target, choice, mode) as placer:
        convert_to_yolo(choice, placer, target)
        placer.finish()
    return target / DATA_YAML


def _check_mode(dataset: DetectionDataset, link: str) -> LinkMode:
    """Return `link` if the images of the dataset can be written in this way. Otherwise raise InputError."""
    mode = check_link(link)
    if mode == "list" and dataset.source.format == VIDEOS.name:
        raise InputError(
            f"{dataset.source.typed}: link='list' writes no images, but frames of videos must be written as images. "
            "Leave it out (--link)."
        )
    return mode


def _target(output: str | Path) -> Path:
    """Return the absolute path of the output folder. Raise InputError if `output` is not a path."""
    if not isinstance(output, str | os.PathLike) or not str(output):
        raise InputError(f"{output!r} is not a path. Pass the folder for the smaller dataset.")
    return absolute(Path(output).expanduser())


@contextmanager
def _open_output(target: Path, choice: Choice, link: LinkMode, **replace: bool) -> Iterator[Placer]:
    """Yield a `Placer` for a temporary folder. If the block succeeds, the folder is renamed to `target`.

    Inside the block, files of the original dataset are compared with their state when they were loaded. Raise
    InputError if a file has changed.
    """
    check_apart_from(target, choice.dataset)
    with staged(target, **replace) as folder, choice.files.compared():
        yield Placer(folder, link, choice.files)
        choice.check_lists()


def _find_writer(dataset: DetectionDataset, format: str | None) -> Write:
    """Return the function that writes the dataset in `format`. Raise InputError if this is not possible."""
    own = get_format(dataset.source.format)
    if format is None or format == own.name:
        return own.write
    converters = {row.name: row.convert for row in all_formats() if row.convert is not None}
    if format in converters:
        return converters[format]
    known = list(dict.fromkeys([own.name, *converters]))
    raise InputError(f"format={format!r} cannot be written. Use {' or '.join(known)}.{nearest(str(format), known)}")


def _selection_json(selection: object, choice: Choice) -> bytes:
    """Return the content of selection.json: the JSON of the selection, or a short JSON for a list of ids."""
    to_json = getattr(selection, "to_json", None)
    if callable(to_json):
        # a surrogate represents a byte that is not valid UTF-8, and a JSON escape preserves the surrogate
        return str(to_json()).encode("utf-8", "backslashreplace")
    content: dict[str, object] = {
        "source": str(choice.dataset.source.path),
        "split": choice.dataset.split,
        "images": len(choice.image_ids),
        "of": len(choice.dataset),
        "image_ids": list(choice.image_ids),
    }
    return json_text(content).encode()


def _split_json(choice: Choice) -> bytes:
    """Return the content of split.json: the image ids of the reduced split and of each new split."""
    content: dict[str, object] = {
        "detreduce_split": 1,
        "source": str(choice.dataset.source.path),
        "splits": {choice.dataset.split: list(choice.image_ids), **choice.held_out},
    }
    return json_text(content).encode()


def _check_provenance(selection: object, dataset: DetectionDataset) -> None:
    """Warn if a selection was made from another dataset that happens to have the same ids."""
    provenance = getattr(selection, "provenance", None)
    made_on = provenance.get("dataset") if isinstance(provenance, Mapping) else None
    if not isinstance(made_on, Mapping) or made_on.get("content_hash") in (None, dataset.content_hash):
        return
    warn_about_subset(
        f"The selection was made from another dataset or another version ({made_on.get('path', 'path unknown')}), "
        f"not from {dataset.source.path}. The subset was written, because all selected ids exist in this dataset too."
    )
