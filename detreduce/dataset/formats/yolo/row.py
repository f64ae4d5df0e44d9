"""Recognise and load YOLO files and folders: defines the `Format` `YOLO`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from detreduce.dataset.formats.format import Format
from detreduce.dataset.formats.yolo.convert import convert_to_yolo
from detreduce.dataset.formats.yolo.data_yaml import read_yolo_licence
from detreduce.dataset.formats.yolo.exports import CLASSES, DARKNET, is_yolo_export, read_yolo_description
from detreduce.dataset.formats.yolo.read import count_images, label_folders, load_yolo, split_patterns
from detreduce.dataset.formats.yolo.write import write_yolo
from detreduce.dataset.records import DetectionDataset, Source
from detreduce.dataset.splits import canonical_split
from detreduce.errors import InputError


def likely_files(folder: Path) -> Iterable[Path]:
    """Return the classes.txt of a Label Studio export, which is a folder that contains ``images`` and ``labels``.

    For any other folder, return an empty collection.
    """
    return [folder / CLASSES] if (folder / "images").is_dir() and (folder / "labels").is_dir() else []


def load_path(file: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load an export without a data.yaml. Raise the same errors as `load_yolo`."""
    return load_yolo(read_yolo_description(file), canonical_split(split or "train"))


def load_split(source: Source, split: str) -> DetectionDataset:
    """Load one split of a source. Raise the same errors as `load_yolo`."""
    return load_yolo(read_yolo_description(source.path), split)


def reads_from(source: Source) -> Iterable[Path | str]:
    """Yield the labels folders of a source, and the globs in its data.yaml."""
    yield from label_folders(source)
    with suppress(InputError):
        yield from split_patterns(read_yolo_description(source.path), source.root)


YOLO = Format(
    name="yolo",
    example="a YOLO export (classes.txt, obj.data)",
    accepts_file=is_yolo_export,
    sure_files=lambda folder: [folder / DARKNET],
    likely_files=likely_files,
    load_path=load_path,
    load_yaml=load_yolo,
    load_split=load_split,
    count_images=count_images,
    read_licences=read_yolo_licence,
    reads_from=reads_from,
    write=write_yolo,
    holds_out=True,
    convert=convert_to_yolo,
)
