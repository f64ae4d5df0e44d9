"""One door to every format: tells what a path is and hands it to its loader."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detreduce.dataset.description import Description, expand_path, find_root, read_description
from detreduce.dataset.formats.coco.layout import ROBOFLOW, find_images_folder, find_layout
from detreduce.dataset.formats.coco.read import load_coco
from detreduce.dataset.formats.cvat.read import ANNOTATIONS, find_cvat_splits, load_cvat
from detreduce.dataset.formats.label_studio.read import find_label_studio_splits, is_label_studio, load_label_studio
from detreduce.dataset.formats.unlabelled.read import load_unlabelled
from detreduce.dataset.formats.voc.read import LISTS, find_voc_splits, is_voc_folder, load_voc
from detreduce.dataset.formats.yolo.exports import CLASSES, DARKNET, is_yolo_export, read_yolo_description
from detreduce.dataset.formats.yolo.read import SPLIT_KEYS, in_lower_case, load_yolo
from detreduce.dataset.listing import absolute
from detreduce.dataset.records import DetectionDataset, Source, SplitSource
from detreduce.dataset.splits import canonical_split, choose_split, in_order
from detreduce.display.progress import step
from detreduce.errors import DetreduceError, InputError, MissingFileError, nearest
from detreduce.ultralytics_bridge.config_folder import nearest_dataset, shipped_dataset

FORMATS = ("yolo", "coco", "voc", "images", "demo")
YAML_SUFFIXES = frozenset({".yaml", ".yml"})
LOADERS = {
    "coco": load_coco,
    "voc": load_voc,
    "cvat": load_cvat,
    "label_studio": load_label_studio,
    "images": load_unlabelled,
}
YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


def load_dataset(path: str | Path, split: str | None = None, images: str | Path | None = None) -> DetectionDataset:
    """Load one split of a dataset; nothing is copied, no image is opened.

    What is wrong but did not stop the load is in ``dataset.problems``; the other splits are in
    ``dataset.source.splits``.

    Parameters
    ----------
    path
        A YOLO data.yaml; a COCO JSON; a Pascal VOC folder; a folder of images without labels; CVAT's annotations.xml or
        obj.data; Label Studio's JSON, JSON-MIN or classes.txt; a folder that holds one of these; a dataset YAML with
        ``format: coco | voc | images | demo``; or the name of a dataset that ultralytics ships (``coco8.yaml``).
    split
        ``train``, ``val`` (also ``valid``, ``validation``), ``test`` or another that the dataset has. Default: the
        split that a COCO JSON itself is, else ``train``.
    images
        COCO, CVAT and Label Studio: the folder of the file's images. Default for COCO: the JSON's own folder, then
        ``../train2017`` and ``../images/train2017`` for ``instances_train2017.json``; for the others ``images`` beside
        the file, else its own folder.

    Raises
    ------
    MissingFileError
        The file, the images or the folder that a YAML names are not there; says what was tried.
    InputError
        The path is no dataset, a file cannot be used, or the split does not exist (names those that do).
    """
    try:
        place = absolute(Path(path).expanduser())
        shipped = None if os.path.lexists(place) else shipped_dataset(str(path))
        with step("reading the dataset"):
            return _load(_dataset_in(shipped or place), split, images)
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
        return load_yolo(read_yolo_description(source.path), chosen)
    return LOADERS[source.format](source, chosen)


def images_to_give(dataset: DetectionDataset) -> Path | None:
    """The `images` with which `load_dataset` reads the dataset anew; None where its file says where they are."""
    split = dataset.source.splits.get(dataset.split)
    return split.images[0] if split and takes_images(dataset.source.path) else None


def takes_images(place: Path) -> bool:
    """Whether this is a file of annotations that does not say where its images are; a YAML that names one does."""
    return place.suffix.lower() in (".json", ".xml")


def _load(place: Path, split: str | None, images: str | Path | None) -> DetectionDataset:
    if images is not None and not takes_images(place):
        raise InputError(f"{place}: images= is for a JSON or CVAT's XML; other formats say where their images are.")
    if place.is_dir():
        return _load_folder(place, split)
    if place.suffix.lower() in YAML_SUFFIXES:
        return _load_description(read_description(place), split)
    if is_yolo_export(place):
        return load_yolo(read_yolo_description(place), canonical_split(split or "train"))
    folder = absolute(Path(images).expanduser()) if images is not None else None
    if place.suffix.lower() == ".xml":
        splits = find_cvat_splits(place, folder)
        return load_cvat(Source("cvat", place, place.parent, splits), choose_split(split or "train", splits, place))
    if is_label_studio(place):
        splits = find_label_studio_splits(place, folder)
        source = Source("label_studio", place, place.parent, splits)
        return load_label_studio(source, choose_split(split or "train", splits, place))
    if place.suffix.lower() == ".json":
        layout = find_layout(place, folder)
        chosen = choose_split(split, layout.splits, place) if split is not None else layout.own_split
        tried = layout.tried if chosen == layout.own_split else ()
        return load_coco(Source("coco", place, layout.root, layout.splits), chosen, tried)
    if zipfile.is_zipfile(place):
        raise InputError(f"{place}: unpack it first, and give the folder that comes out.")
    raise InputError(
        f"{place}: not a dataset: give a data.yaml, a COCO .json, a VOC folder, a CVAT or Label Studio export, or a "
        "folder of images."
    )


def _dataset_in(path: Path) -> Path:
    """The dataset's own file or folder where a folder that holds it was given."""
    if not os.path.exists(path):  # noqa: PTH110 (an odd text must not raise)
        raise MissingFileError(f"{path}: there is no such dataset file or folder.{nearest_dataset(path.name)}")
    if not path.is_dir() or is_voc_folder(path):
        return path
    inside = [path / name for name in (*YAML_NAMES, ROBOFLOW)]
    inside += [path / name / ROBOFLOW for name in ("train", "valid", "val", "test")]
    inside += sorted((path / "annotations").glob("instances_*.json"), key=_train_first)
    # CVAT, then Label Studio
    inside += [path / name for name in (ANNOTATIONS, DARKNET, "result.json")]
    if (path / "images").is_dir() and (path / "labels").is_dir():
        inside.append(path / CLASSES)
    if len(exports := list(path.glob("project-*-at-*.json"))) == 1:
        inside += exports
    found = next((file for file in inside if file.is_file()), None)
    if found is not None:
        return found
    nested = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and is_voc_folder(folder)]
    if len(nested) > 1:
        raise InputError(f"{path}: holds several VOC folders: {', '.join(folder.name for folder in nested)}; give one.")
    return nested[0] if nested else path


def _train_first(file: Path) -> tuple[bool, bool, str]:
    name = file.stem.lower()
    return not name.startswith("instances_train"), name != "instances_default", file.name


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
    return LOADERS[form](source, chosen)


def _load_demo(description: Description, split: str) -> DetectionDataset:
    from detreduce.dataset.demo import demo_data_yaml

    make = description.values.get("make") or {}
    if not isinstance(make, Mapping):
        raise InputError(f"{description.file}: 'make' holds the demo's parameters, not {make!r}.")
    return load_yolo(read_description(demo_data_yaml(make)), split)


def _declared(description: Description) -> dict[str, Any]:
    values = in_lower_case(description.values)
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
