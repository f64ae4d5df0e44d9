"""One door to every format: tells what a path is and hands it to its loader."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detreduce.dataset.coco import load_coco
from detreduce.dataset.coco_layout import ROBOFLOW, find_images_folder, find_layout
from detreduce.dataset.description import Description, expand_path, find_root, read_description
from detreduce.dataset.listing import absolute
from detreduce.dataset.records import DetectionDataset, Source, SplitSource
from detreduce.dataset.splits import canonical_split, choose_split, in_order
from detreduce.dataset.unlabelled import load_unlabelled
from detreduce.dataset.voc import LISTS, find_voc_splits, is_voc_folder, load_voc
from detreduce.dataset.yolo import SPLIT_KEYS, load_yolo
from detreduce.errors import DetreduceError, InputError, MissingFileError, nearest

FORMATS = ("yolo", "coco", "voc", "images", "demo")
YAML_SUFFIXES = frozenset({".yaml", ".yml"})
YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


def load_dataset(path: str | Path, split: str | None = None, images: str | Path | None = None) -> DetectionDataset:
    """Load one split of a dataset; nothing is copied, no image is opened.

    What is wrong but did not stop the load is in ``dataset.problems``; the other splits are in
    ``dataset.source.splits``.

    Parameters
    ----------
    path
        A YOLO data.yaml; a COCO JSON; a Pascal VOC folder; a folder of images without labels; a folder that holds one
        of these; or a dataset YAML with ``format: coco | voc | images | demo``.
    split
        ``train``, ``val`` (also ``valid``, ``validation``), ``test`` or another that the dataset has. Default: the
        split that a COCO JSON itself is, else ``train``.
    images
        COCO only: the folder of the JSON's images. Default: the JSON's own folder, then ``../train2017`` and
        ``../images/train2017`` for ``instances_train2017.json``.

    Raises
    ------
    MissingFileError
        The file, the images or the folder that a YAML names are not there; says what was tried.
    InputError
        The path is no dataset, a file cannot be used, or the split does not exist (names those that do).
    """
    try:
        return _load(_dataset_in(absolute(Path(path).expanduser())), split, images)
    except DetreduceError:
        raise
    except OSError as error:
        raise InputError(f"{error.filename or path}: cannot be read ({error.strerror}).") from error


def load_split(source: Source, split: str) -> DetectionDataset:
    """Load another split of a dataset that is loaded already; raises what `load_dataset` does.

    Unlike `load_dataset(source.path, split)` it knows the images folder that was given for a COCO JSON.
    """
    chosen = choose_split(split, source.splits, source.path)
    if source.format == "yolo":
        return load_yolo(read_description(source.path), chosen)
    return {"coco": load_coco, "voc": load_voc, "images": load_unlabelled}[source.format](source, chosen)


def images_to_give(dataset: DetectionDataset) -> Path | None:
    """The `images` with which `load_dataset` reads the dataset anew; None where its file says where they are."""
    split = dataset.source.splits.get(dataset.split)
    return split.images[0] if split and takes_images(dataset.source.path) else None


def takes_images(place: Path) -> bool:
    """Whether this is a COCO JSON itself, which does not say where its images are; a YAML that names one does."""
    return place.suffix.lower() == ".json"


def _load(place: Path, split: str | None, images: str | Path | None) -> DetectionDataset:
    if images is not None and not takes_images(place):
        raise InputError(f"{place}: images= is for a COCO JSON; other formats say themselves where their images are.")
    if place.is_dir():
        return _load_folder(place, split)
    if place.suffix.lower() in YAML_SUFFIXES:
        return _load_description(read_description(place), split)
    if place.suffix.lower() == ".json":
        layout = find_layout(place, absolute(Path(images).expanduser()) if images is not None else None)
        chosen = choose_split(split, layout.splits, place) if split is not None else layout.own_split
        tried = layout.tried if chosen == layout.own_split else ()
        return load_coco(Source("coco", place, layout.root, layout.splits), chosen, tried)
    raise InputError(f"{place}: not a dataset: give a data.yaml, a COCO .json, a VOC folder or a folder of images.")


def _dataset_in(path: Path) -> Path:
    """The dataset's own file or folder where a folder that holds it was given."""
    if not os.path.exists(path):  # noqa: PTH110 (an odd text must not raise)
        raise MissingFileError(f"{path}: there is no such dataset file or folder.")
    if not path.is_dir() or is_voc_folder(path):
        return path
    inside = [path / name for name in (*YAML_NAMES, ROBOFLOW)]
    inside += [path / name / ROBOFLOW for name in ("train", "valid", "val", "test")]
    inside += sorted((path / "annotations").glob("instances_train*.json"))
    found = next((file for file in inside if file.is_file()), None)
    if found is not None:
        return found
    nested = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and is_voc_folder(folder)]
    if len(nested) > 1:
        raise InputError(f"{path}: holds several VOC folders: {', '.join(folder.name for folder in nested)}; give one.")
    return nested[0] if nested else path


def _load_folder(folder: Path, split: str | None) -> DetectionDataset:
    if is_voc_folder(folder):
        splits = find_voc_splits(folder)
        return load_voc(Source("voc", folder, folder, splits), choose_split(split or "train", splits, folder))
    splits = {"train": SplitSource((folder,))}
    return load_unlabelled(Source("images", folder, folder, splits), choose_split(split or "train", splits, folder))


def _load_description(description: Description, split: str | None) -> DetectionDataset:
    form = description.values.get("format", "yolo")
    if form not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(f"{description.file}: unknown format {form!r}; known: {known}.{nearest(str(form), FORMATS)}")
    asked = canonical_split(split or "train")
    if form == "yolo":
        return load_yolo(description, asked)
    if form == "demo":
        return _load_demo(description, asked)
    root = find_root(description)
    splits = {"coco": _coco_splits, "voc": _voc_splits, "images": _image_splits}[form](description, root)
    source = Source(form, description.file, root, splits)
    chosen = choose_split(asked, splits, description.file)
    return {"coco": load_coco, "voc": load_voc, "images": load_unlabelled}[form](source, chosen)


def _load_demo(description: Description, split: str) -> DetectionDataset:
    from detreduce.dataset.demo import demo_data_yaml

    make = description.values.get("make") or {}
    if not isinstance(make, Mapping):
        raise InputError(f"{description.file}: 'make' holds the demo's parameters, not {make!r}.")
    return load_yolo(read_description(demo_data_yaml(make)), split)


def _declared(description: Description) -> dict[str, Any]:
    values = description.values
    declared: dict[str, Any] = {}
    for key in SPLIT_KEYS:
        if values.get(key):
            declared.setdefault(canonical_split(key), values[key])
    return declared


def _coco_splits(description: Description, root: Path) -> dict[str, SplitSource]:
    """``train: {annotations: train.json, images: folder}``; images may be left out, or only the JSON be given."""
    splits = {}
    for split, value in _declared(description).items():
        entry = {"annotations": value} if isinstance(value, str) else value
        if not isinstance(entry, Mapping) or not isinstance(entry.get("annotations"), str):
            raise InputError(f"{description.file}: {split!r} needs 'annotations: a JSON' and 'images: a folder'.")
        file = absolute(root / expand_path(entry["annotations"], description.file))
        folder = entry.get("images")
        if not file.is_file():
            raise MissingFileError(f"{file}: the annotations of {split!r} are not there.{description.how_to_get()}")
        if folder is None:
            images = find_images_folder(file, None)[0] or file.parent
        else:
            images = absolute(root / expand_path(str(folder), description.file))
        splits[split] = SplitSource((images,), file)
    if not splits:
        raise InputError(
            f"{description.file}: names no split; give 'train: {{annotations: a JSON, images: a folder}}'."
        )
    return in_order(splits)


def _voc_splits(description: Description, root: Path) -> dict[str, SplitSource]:
    """``train: trainval`` names a list of ImageSets/Main; without such keys, the lists that are there."""
    if not is_voc_folder(root):
        raise MissingFileError(
            f"{description.file}: {root} is not a VOC folder (Annotations, JPEGImages).{description.how_to_get()}"
        )
    there = find_voc_splits(root)
    lists = {file.stem: file for file in sorted((root / LISTS).glob("*.txt"))}
    splits = {}
    for split, name in _declared(description).items():
        stem = Path(str(name)).stem
        if stem not in lists:
            known = ", ".join(lists) or "none"
            raise MissingFileError(f"{description.file}: {root / LISTS} has no list {stem!r}; there: {known}.")
        splits[split] = SplitSource(next(iter(there.values())).images, lists[stem])
    return in_order(splits) if splits else there


def _image_splits(description: Description, root: Path) -> dict[str, SplitSource]:
    """``train: folder``; without such keys, all images below the root are ``train``."""
    splits = {}
    for split, value in _declared(description).items():
        folder = absolute(root / expand_path(str(value), description.file))
        if not folder.is_dir():
            raise MissingFileError(f"{folder}: the images of {split!r} are not there.{description.how_to_get()}")
        splits[split] = SplitSource((folder,))
    return in_order(splits) if splits else {"train": SplitSource((root,))}
