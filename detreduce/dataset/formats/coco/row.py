"""Recognise and load COCO files and folders: define the `Format` `COCO`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from detreduce.dataset.formats.coco.layout import ROBOFLOW, find_images_folder, find_layout
from detreduce.dataset.formats.coco.licences import read_coco_licences
from detreduce.dataset.formats.coco.read import count_images, load_coco
from detreduce.dataset.formats.coco.write import write_coco
from detreduce.dataset.formats.format import Format
from detreduce.dataset.reading.description import Description, annotated_splits, find_root
from detreduce.dataset.reading.json_kind import holds_list
from detreduce.dataset.records import DetectionDataset, Source
from detreduce.dataset.splits import choose_split

# the file of Label Studio's COCO export
LABEL_STUDIO = "result.json"


def accepts_file(file: Path) -> bool:
    """Return whether a file is a JSON file that does not hold a list. COCO files hold an object."""
    return file.suffix.lower() == ".json" and not holds_list(file)


def sure_files(folder: Path) -> Iterator[Path]:
    """Yield Roboflow's file and the instances files of the official layout, train splits first."""
    yield folder / ROBOFLOW
    yield from (folder / split / ROBOFLOW for split in ("train", "valid", "val", "test"))
    yield from sorted((folder / "annotations").glob("instances_*.json"), key=_train_first)


def _train_first(file: Path) -> tuple[bool, bool, str]:
    """Return a sort key that puts train files first."""
    name = file.stem.lower()
    return not name.startswith("instances_train"), name != "instances_default", file.name


def load_path(file: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load a COCO JSON. The default split is the split that the JSON holds. Raise the errors of `load_coco`."""
    layout = find_layout(file, images)
    chosen = choose_split(split, layout.splits, file) if split is not None else layout.own_split
    tried = layout.tried if chosen == layout.own_split else ()
    return load_coco(Source("coco", file, layout.root, layout.splits), chosen, tried)


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a dataset YAML with ``format: coco``. Raise InputError if a split does not name its JSON.

    Without ``images``, the images folder is searched in the same way as for a JSON that is loaded alone.
    """
    root = find_root(description)
    splits = annotated_splits(description, root, lambda file: find_images_folder(file, None)[0] or file.parent)
    source = Source("coco", description.file, root, splits)
    return load_coco(source, choose_split(split, splits, description.file))


COCO = Format(
    name="coco",
    example="a COCO .json",
    accepts_file=accepts_file,
    sure_files=sure_files,
    likely_files=lambda folder: [folder / LABEL_STUDIO],
    images_for=".json",
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_coco,
    count_images=count_images,
    read_licences=read_coco_licences,
    write=write_coco,
)
