"""Recognise and load CreateML JSON: defines the `Format` `CREATEML`."""

from __future__ import annotations

from pathlib import Path

from detreduce.dataset.formats.coco.layout import find_jsons
from detreduce.dataset.formats.createml.read import count_images, load_createml
from detreduce.dataset.formats.createml.write import write_createml
from detreduce.dataset.formats.format import Format
from detreduce.dataset.reading.annotation_kinds import CREATEML as CREATEML_JSON
from detreduce.dataset.reading.annotation_kinds import kind_of_json
from detreduce.dataset.reading.description import Description, annotated_source
from detreduce.dataset.records import DetectionDataset, Source, SplitSource
from detreduce.dataset.splits import CANONICAL, canonical_split, choose_split, in_order
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.near_files import suggest_path

_MOST = 100


def accepts_file(file: Path) -> bool:
    """Return whether the content of a file is CreateML JSON."""
    return file.suffix.lower() == ".json" and kind_of_json(file) == CREATEML_JSON


def likely_files(folder: Path) -> list[Path]:
    """Return the CreateML JSON file in a folder, or in its subfolder train, valid or test.

    Raise InputError if a folder contains several of them.
    """
    parts = [part for part in folder.iterdir() if canonical_split(part.name) in CANONICAL and part.is_dir()]
    for place in [folder, *sorted(parts, key=lambda part: CANONICAL.index(canonical_split(part.name)))]:
        found = [file for file in sorted(place.glob("*.json"))[:_MOST] if accepts_file(file)]
        trains = [file for file in found if "train" in file.name.lower()]
        found = trains if len(trains) == 1 else found
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise InputError(f"{place}: several CreateML JSONs: {names}. Pass one of them.")
        if found:
            return found
    return []


def default_images(file: Path) -> Path:
    """Return the folder ``images`` next to the file if it exists, otherwise the folder of the file."""
    return file.parent / "images" if (file.parent / "images").is_dir() else file.parent


def load_path(file: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load a JSON file, and find the JSON files of the other splits. Raise the same errors as `load_createml`."""
    if images is not None and not images.is_dir():
        raise MissingFileError(f"{images}: the images folder does not exist.{suggest_path(images)}")
    jsons = find_jsons(file)
    own = next(name for name, other in jsons.items() if other == file)
    splits = {
        name: SplitSource((images if images is not None and name == own else default_images(other),), other)
        for name, other in jsons.items()
        if other == file or accepts_file(other)
    }
    root = file.parent if len({other.parent for other in jsons.values()}) == 1 else file.parent.parent
    return load_createml(Source("createml", file, root, in_order(splits)), choose_split(split or own, splits, file))


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a YAML with ``format: createml``. Raise the same errors as `annotated_source` and `load_createml`."""
    return load_createml(*annotated_source("createml", description, split, default_images))


CREATEML = Format(
    name="createml",
    example="a CreateML .json",
    accepts_file=accepts_file,
    likely_files=likely_files,
    images_for=".json",
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_createml,
    count_images=count_images,
    write=write_createml,
    holds_out=True,
)
