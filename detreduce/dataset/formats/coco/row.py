"""Recognise and load COCO files and folders: define the `Format` `COCO`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from detreduce.dataset.formats.coco.layout import ROBOFLOW, find_images_folder, find_layout
from detreduce.dataset.formats.coco.licences import read_coco_licences
from detreduce.dataset.formats.coco.read import count_images, load_coco
from detreduce.dataset.formats.coco.write import write_coco
from detreduce.dataset.formats.format import Format
from detreduce.dataset.listing import absolute
from detreduce.dataset.reading.description import Description, expand_path, find_root, split_values
from detreduce.dataset.reading.json_kind import holds_list
from detreduce.dataset.records import DetectionDataset, Source, SplitSource
from detreduce.dataset.splits import choose_split, in_order
from detreduce.errors import InputError, MissingFileError

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
    """Load a dataset YAML with ``format: coco``. Raise InputError if a split does not name its JSON."""
    root = find_root(description)
    splits = _splits(description, root)
    source = Source("coco", description.file, root, splits)
    return load_coco(source, choose_split(split, splits, description.file))


def _splits(description: Description, root: Path) -> dict[str, SplitSource]:
    """Return the splits of a YAML with ``train: {annotations: train.json, images: folder}`` or ``train: train.json``.

    Without ``images``, the images folder is searched in the same way as for a JSON that is loaded alone.
    """
    splits = {}
    for split, value in split_values(description).items():
        entry = {"annotations": value} if isinstance(value, str) else value
        if not isinstance(entry, Mapping) or not isinstance(entry.get("annotations"), str):
            raise InputError(
                f"{description.file}: {split!r} must be {{annotations: train.json, images: folder}}, not {value!r}."
            )
        file = absolute(root / expand_path(entry["annotations"], description.file))
        folder = entry.get("images")
        if not file.is_file():
            raise MissingFileError(f"{file}: the annotations of {split!r} do not exist.{description.how_to_get()}")
        if folder is None:
            images = find_images_folder(file, None)[0] or file.parent
        else:
            images = absolute(root / expand_path(str(folder), description.file))
        splits[split] = SplitSource((images,), file)
    if not splits:
        raise InputError(
            f"{description.file}: no split is named. Add 'train: {{annotations: train.json, images: folder}}'."
        )
    return in_order(splits)


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
