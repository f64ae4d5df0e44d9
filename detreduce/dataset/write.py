"""Write the smaller dataset: the original files filtered, never serialised anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol, runtime_checkable

from detreduce.dataset.formats.coco.write import write_coco
from detreduce.dataset.formats.cvat.write import write_cvat
from detreduce.dataset.formats.label_studio.write import write_label_studio
from detreduce.dataset.formats.unlabelled.write import write_unlabelled
from detreduce.dataset.formats.voc.write import write_voc
from detreduce.dataset.formats.yolo.convert import convert_to_yolo
from detreduce.dataset.formats.yolo.write import DATA_YAML, write_yolo, write_yolo_list
from detreduce.dataset.listing import absolute
from detreduce.dataset.load import load_dataset, load_split
from detreduce.dataset.records import DetectionDataset, ImageId, Source
from detreduce.dataset.writing.contents import Choice, in_split_order, load_others, make_choice
from detreduce.dataset.writing.links import LinkMode, Placer, check_link
from detreduce.dataset.writing.report import SubsetReport, subset_report
from detreduce.dataset.writing.staging import check_apart, check_replaceable, staged, write_manifest
from detreduce.dataset.writing.subset_warnings import SubsetWarning, notice
from detreduce.display.progress import step
from detreduce.errors import InputError, nearest
from detreduce.machine.json_values import json_text

__all__ = [
    "LinkMode",
    "SubsetReport",
    "SubsetWarning",
    "check_output",
    "subset_report",
    "write_subset",
    "write_yolo_view",
]

Reload = Callable[[], DetectionDataset]

SELECTION_FILE = PurePosixPath("selection.json")


@runtime_checkable
class ChosenImages(Protocol):
    """Anything that names images in the order chosen; `to_json`, where there is one, gives selection.json."""

    @property
    def image_ids(self) -> Iterable[ImageId]:
        """Ids of the chosen images."""


def write_subset(
    dataset: DetectionDataset,
    selection: ChosenImages | Iterable[ImageId],
    output: str | Path,
    *,
    link: LinkMode = "hardlink",
    format: Literal["yolo"] | str | None = None,
    overwrite: bool = False,
) -> DetectionDataset:
    """Write the chosen images of a dataset, and its other splits untouched, as a dataset of the same format.

    The output mirrors the source's folders and file names and holds ``selection.json``; its YOLO ``data.yaml`` works
    from any working folder and after the output was moved. The source is never changed.

    Parameters
    ----------
    dataset
        The split that was reduced; the others are carried over from its source.
    selection
        A Selection, or image ids in the order chosen.
    output
        A new or empty folder; with `overwrite` one that detreduce wrote. It appears whole or not at all.
    link
        ``hardlink`` (copies where the file system does not allow it), ``symlink`` (absolute), ``copy``, or ``list``:
        nothing but lists, filtered annotations and a data.yaml that point at the source (for YOLO, COCO and unlabelled
        images). Labels are copied in all but ``list``.
    format
        None: the source's. ``yolo``: labels are converted from the boxes (polygons and crowds left out).
    overwrite
        Replace what detreduce wrote to `output` before.

    Returns
    -------
    DetectionDataset
        The reduced split, loaded from `output`.

    Raises
    ------
    InputError
        Unknown, doubled or missing images; an output that overlaps the source or may not be replaced.
    DetreduceError
        The disk is full or not writable; nothing is left at `output`.

    Warns
    -----
    SubsetWarning
        A class lost all or nearly all boxes; links became copies; a split could not be carried over; the selection
        says that it was made on another dataset.
    """
    mode = check_link(link)
    _check_format(dataset, format)
    chosen = selection.image_ids if isinstance(selection, ChosenImages) else selection
    choice = make_choice(dataset, chosen)
    target = absolute(Path(output).expanduser())
    with step("writing the reduced dataset"), _into(target, dataset, mode, overwrite=overwrite) as placer:
        reload = _write_format(choice, placer, target, convert=format == "yolo" and dataset.source.format != "yolo")
        placer.write(SELECTION_FILE, _selection_json(selection, choice))
        placer.finish()
        write_manifest(placer.folder, placer.placed)
    _check_provenance(selection, dataset)
    for warning in subset_report(dataset, choice.image_ids).warnings:
        notice(warning)
    return reload()


def check_output(
    dataset: DetectionDataset,
    output: str | Path,
    *,
    link: str = "hardlink",
    format: str | None = None,
    overwrite: bool = False,
) -> None:
    """Raise InputError for what `write_subset` would refuse, whichever images are chosen; writes nothing."""
    check_link(link)
    _check_format(dataset, format)
    target = absolute(Path(output).expanduser())
    check_apart_from(target, dataset)
    check_replaceable(target, overwrite=overwrite)


def write_yolo_view(source: str | Path | DetectionDataset, output: str | Path, *, link: LinkMode = "symlink") -> Path:
    """Write a whole dataset of any format as a YOLO folder that ultralytics may write its caches to.

    All splits; images linked, labels copied byte for byte (YOLO) or converted (COCO, VOC). Where there is no val
    split, ``val:`` names the test split, else the train split, since ultralytics asks for one.

    Parameters
    ----------
    source
        A path as for `load_dataset`, or a dataset (its source's other splits are loaded).
    output
        A new or empty folder.
    link
        ``symlink``, ``hardlink`` or ``copy``.

    Returns
    -------
    pathlib.Path
        The data.yaml.

    Raises
    ------
    InputError
        The source has no labels, or `output` is not empty or overlaps the source.
    """
    mode = check_link(link)
    if mode == "list":
        raise InputError("link='list' would let ultralytics write beside the source; use symlink, hardlink or copy.")
    dataset = source if isinstance(source, DetectionDataset) else load_dataset(source)
    choice = Choice(dataset, tuple(record.id for record in dataset if record.path.is_file()))
    if len(choice.image_ids) < len(dataset):
        notice(f"{len(dataset) - len(choice.image_ids)} images of the {dataset.split} split are missing and left out.")
    target = absolute(Path(output).expanduser())
    with _into(target, dataset, mode, overwrite=False) as placer:
        if dataset.source.format == "yolo":
            write_yolo(choice, in_split_order(choice, load_others(dataset)), placer, target, trainable=True)
        else:
            convert_to_yolo(choice, load_others(dataset), placer)
        placer.finish()
    return target / DATA_YAML


@contextmanager
def _into(target: Path, dataset: DetectionDataset, link: LinkMode, *, overwrite: bool) -> Iterator[Placer]:
    check_apart_from(target, dataset)
    with staged(target, overwrite=overwrite) as folder:
        yield Placer(folder, link)


def _check_format(dataset: DetectionDataset, format: str | None) -> None:
    if format is not None and format != dataset.source.format and format != "yolo":
        known = list(dict.fromkeys([dataset.source.format, "yolo"]))
        raise InputError(f"format={format!r} cannot be written; use {' or '.join(known)}.{nearest(str(format), known)}")


def check_apart_from(target: Path, dataset: DetectionDataset) -> None:
    """Raise InputError where a folder to write overlaps the dataset's own, or holds its files."""
    source = dataset.source
    places = {path for split in source.splits.values() for path in split.images}
    jsons = {split.annotations for split in source.splits.values() if split.annotations is not None}
    labels = {record.label_path.parent for record in dataset if record.label_path is not None}
    # what lies in a listed folder would become part of the source; a COCO folder that holds its JSON is not listed
    listed = {path for path in places if path.is_dir() and not any(path in file.parents for file in jsons)}
    check_apart(target, folders=listed, files={source.path, source.root, *places, *jsons, *labels})


def _write_format(choice: Choice, placer: Placer, target: Path, *, convert: bool) -> Reload:
    """Write the dataset's own files; returns what loads the reduced split once they are at `target`."""
    dataset = choice.dataset
    form = dataset.source.format
    written: tuple[Source, str] | None = None
    if form == "yolo" and placer.link == "list":
        write_yolo_list(choice, placer)
    elif form == "yolo":
        write_yolo(choice, in_split_order(choice, load_others(dataset)), placer, target)
    elif convert:
        own = convert_to_yolo(choice, load_others(dataset), placer)
        return lambda: load_dataset(target / DATA_YAML, split=own)
    elif form == "coco":
        written = write_coco(choice, in_split_order(choice, load_others(dataset)), placer, target)
    elif form == "cvat":
        written = write_cvat(choice, in_split_order(choice, load_others(dataset)), placer, target)
    elif form == "label_studio":
        written = write_label_studio(choice, in_split_order(choice, load_others(dataset)), placer, target)
    elif form == "voc":
        written = write_voc(choice, load_others(dataset), placer, target)
    else:
        written = write_unlabelled(choice, in_split_order(choice, load_others(dataset)), placer, target)
        if written is None:
            return lambda: replace(dataset, records=choice.kept)
    if written is None:
        return lambda: load_dataset(target / DATA_YAML, split=dataset.split)
    source, split = written
    return lambda: load_split(source, split)


def _selection_json(selection: object, choice: Choice) -> bytes:
    to_json = getattr(selection, "to_json", None)
    if callable(to_json):
        # what stands for a byte that is not UTF-8 becomes JSON's own escape, which is read back as the same
        return str(to_json()).encode("utf-8", "backslashreplace")
    content = {
        "source": str(choice.dataset.source.path),
        "split": choice.dataset.split,
        "images": len(choice.image_ids),
        "of": len(choice.dataset),
        "image_ids": list(choice.image_ids),
    }
    return json_text(content).encode()


def _check_provenance(selection: object, dataset: DetectionDataset) -> None:
    """Warn where a selection says that it was made on another dataset, though the ids are known here too."""
    provenance = getattr(selection, "provenance", None)
    made_on = provenance.get("dataset") if isinstance(provenance, Mapping) else None
    if not isinstance(made_on, Mapping) or made_on.get("content_hash") in (None, dataset.content_hash):
        return
    notice(
        f"The selection was made on another dataset or another version of it ({made_on.get('path', 'path unknown')}), "
        f"not on what is at {dataset.source.path} now; its ids are there too, so it was written all the same."
    )
