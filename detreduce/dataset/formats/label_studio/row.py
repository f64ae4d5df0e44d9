"""Recognise and load Label Studio's exports: defines the `Format` `LABEL_STUDIO`."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.formats.format import Format
from detreduce.dataset.formats.label_studio.read import (
    count_images,
    default_images,
    find_label_studio_splits,
    load_label_studio,
)
from detreduce.dataset.formats.label_studio.write import write_label_studio
from detreduce.dataset.reading.annotation_kinds import LABEL_STUDIO as LABEL_STUDIO_JSON
from detreduce.dataset.reading.annotation_kinds import kind_of_json
from detreduce.dataset.reading.description import Description, annotated_source
from detreduce.dataset.reading.json_kind import holds_list
from detreduce.dataset.records import DetectionDataset, Source
from detreduce.dataset.splits import choose_split


def accepts_file(file: Path) -> bool:
    """Return whether a file may be an export of Label Studio.

    The file must contain a JSON list, and nothing in it must be typical of another format.
    """
    return holds_list(file) and kind_of_json(file) in (LABEL_STUDIO_JSON, None)


def likely_files(folder: Path) -> list[Path]:
    """Return the export in a folder, as a list. The list is empty if the folder contains no export or several."""
    exports = sorted(folder.glob("project-*-at-*.json"))
    if not exports:
        exports = [file for file in sorted(folder.glob("*.json"))[:100] if kind_of_json(file) == LABEL_STUDIO_JSON]
    return exports if len(exports) == 1 else []


def load_path(file: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load an export. Raise the same errors as `load_label_studio`."""
    splits = find_label_studio_splits(file, images)
    source = Source("label_studio", file, file.parent, splits)
    return load_label_studio(source, choose_split(split or "train", splits, file))


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a YAML with ``format: label_studio``.

    Raise the same errors as `annotated_source` and `load_label_studio`.
    """
    return load_label_studio(*annotated_source("label_studio", description, split, default_images))


LABEL_STUDIO = Format(
    name="label_studio",
    example="a Label Studio export",
    accepts_file=accepts_file,
    likely_files=likely_files,
    images_for=".json",
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_label_studio,
    count_images=count_images,
    write=write_label_studio,
    holds_out=True,
)
