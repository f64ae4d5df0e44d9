"""Recognise and load COCO files and folders: defines the `Format` `COCO`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from detreduce.dataset.formats.coco.layout import FOLDERS, ROBOFLOW, find_images_folder, find_layout, split_of_json
from detreduce.dataset.formats.coco.licences import read_coco_licences
from detreduce.dataset.formats.coco.read import count_images, load_coco
from detreduce.dataset.formats.coco.write import write_coco
from detreduce.dataset.formats.format import Format
from detreduce.dataset.reading.annotation_kinds import COCO as COCO_JSON
from detreduce.dataset.reading.annotation_kinds import kind_of_json
from detreduce.dataset.reading.description import Description, annotated_source
from detreduce.dataset.reading.json_kind import holds_list
from detreduce.dataset.records import DetectionDataset, Source
from detreduce.dataset.splits import ALIASES, CANONICAL, canonical_split, choose_split
from detreduce.errors import InputError

# folders of a dataset that may contain annotation files, in lower case
_PLACES = frozenset({*FOLDERS, "labels", "images", *CANONICAL, *ALIASES})
# words in the names of COCO's own files for other tasks
_OTHER_TASKS = ("captions", "keypoints", "panoptic", "stuff", "image_info", "densepose")
_MOST = 100


def accepts_file(file: Path) -> bool:
    """Return whether a file may be a COCO JSON.

    The file must contain a JSON object, and nothing in it must be typical of another format.
    """
    return file.suffix.lower() == ".json" and not holds_list(file) and kind_of_json(file) in (COCO_JSON, None)


def sure_files(folder: Path) -> Iterator[Path]:
    """Yield the usual paths of a COCO JSON file in a folder. Paths for train come first.

    The file names are Roboflow's name and the official names (``instances_*.json``).
    """
    yield folder / ROBOFLOW
    yield from (folder / split / ROBOFLOW for split in ("train", "valid", "val", "test"))
    yield from sorted((folder / "annotations").glob("instances_*.json"), key=_train_first)


def likely_files(folder: Path) -> list[Path]:
    """Return a COCO JSON file in a folder or in its subfolder annotations/, as a list.

    The file may have any name. If there is no such file, the list is empty. If there are JSON files of several splits,
    train comes before val and test. Raise InputError if there are several JSON files for the same split.
    """
    places = [folder, *sorted(place for place in folder.iterdir() if place.name.lower() in _PLACES and place.is_dir())]
    places += [part for place in places[1:] for part in split_folders(place) if place.name.lower() in FOLDERS]
    files = [file for place in places for file in sorted(place.glob("*.json"))[:_MOST]]
    by_split: dict[str, list[Path]] = {}
    for file in files:
        if kind_of_json(file) == COCO_JSON:
            by_split.setdefault(split_of_json(file) or "train", []).append(file)
    for split in CANONICAL:
        found = by_split.get(split, [])
        main = [file for file in found if not any(word in file.name.lower() for word in _OTHER_TASKS)] or found
        if len(main) > 1:
            names = ", ".join(str(file.relative_to(folder)) for file in main)
            raise InputError(
                f"{folder}: several COCO JSONs may be the {split} split: {names}. Pass one of them, or a dataset YAML "
                "with 'format: coco' that names the JSON of each split."
            )
        if main:
            return main
    return []


def split_folders(folder: Path) -> list[Path]:
    """Return the subfolders whose name is train, val or test, or an alias of one of them."""
    return sorted(part for part in folder.iterdir() if canonical_split(part.name) in CANONICAL and part.is_dir())


def _train_first(file: Path) -> tuple[bool, bool, str]:
    name = file.stem.lower()
    return not name.startswith("instances_train"), name != "instances_default", file.name


def load_path(file: Path, split: str | None, images: Path | None) -> DetectionDataset:
    """Load a split of a COCO dataset from one of its JSON files. The default is the split that this file contains.

    Raise the same errors as `load_coco`.
    """
    layout = find_layout(file, images)
    chosen = choose_split(split, layout.splits, file) if split is not None else layout.own_split
    tried = layout.tried if chosen == layout.own_split else ()
    return load_coco(Source("coco", file, layout.root, layout.splits), chosen, tried)


def _find_images(file: Path) -> Path:
    """Return the folder with the images that a JSON file lists.

    If they are not found, return the folder of the file.
    """
    return find_images_folder(file, None)[0] or file.parent


def load_yaml(description: Description, split: str) -> DetectionDataset:
    """Load a dataset YAML with ``format: coco``. Raise InputError if a split does not name its JSON file.

    If the YAML does not have the key ``images``, the images are searched for in the usual places (see
    `find_images_folder`).
    """
    return load_coco(*annotated_source("coco", description, split, _find_images))


COCO = Format(
    name="coco",
    example="a COCO .json",
    accepts_file=accepts_file,
    sure_files=sure_files,
    likely_files=likely_files,
    images_for=".json",
    load_path=load_path,
    load_yaml=load_yaml,
    load_split=load_coco,
    count_images=count_images,
    read_licences=read_coco_licences,
    write=write_coco,
    holds_out=True,
)
