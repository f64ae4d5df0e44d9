"""Find the other splits and the images of a COCO JSON file, in Roboflow's layout or in the official one."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.paths.listing import absolute
from detreduce.dataset.reading.annotation_kinds import COCO, kind_of_json
from detreduce.dataset.reading.image_finder import path_in, safe_name
from detreduce.dataset.records import SplitSource
from detreduce.dataset.splits import ALIASES, CANONICAL, canonical_split, in_order
from detreduce.errors import MissingFileError
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.regular_files import is_regular, open_regular

ROBOFLOW = "_annotations.coco.json"
FOLDERS = ("annotations", "annotation")
"""The names of folders that contain annotation files, in lower case."""
_WORDS = "|".join(sorted({*CANONICAL, *ALIASES}, key=len, reverse=True))
_SPLIT_IN_NAME = re.compile(rf"^(.*?)(?<![a-z])({_WORDS})(?![a-z])(.*)$", re.IGNORECASE)
_FILE_NAME = re.compile(rb'"(?:file_name|coco_url)"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class CocoLayout:
    """The folders and annotation files of a COCO dataset, found from one of its JSON files.

    Attributes
    ----------
    root
        The dataset's folder.
    own_split
        The split that this JSON file contains.
    splits
        All splits, including the JSON file's own split.
    tried
        The folders that were searched for the images of the JSON file.
    """

    root: Path
    own_split: str
    splits: dict[str, SplitSource]
    tried: tuple[Path, ...]


def find_layout(file: Path, images: Path | None = None) -> CocoLayout:
    """Find the images of a JSON file, and the JSON files and images of the other splits.

    In Roboflow's layout, each split has a folder, for example ``train/`` and ``valid/``. The folder contains
    ``_annotations.coco.json`` and the images. In the official layout, the folder ``annotations/`` contains a JSON file
    per split, for example ``instances_train2017.json``. The images are in ``../train2017`` or ``../images/train2017``.

    `images` is the folder with the images of this JSON file. If `images` is None, the folder is searched for. If the
    images of another split are not found, they are also searched for in `images`. If the name of a JSON file does not
    contain a split, the file is the ``train`` split. Raise MissingFileError if the JSON file or `images` does not
    exist.
    """
    if not is_regular(file):
        raise MissingFileError(f"{file}: the annotation file does not exist.")
    jsons = find_jsons(file)
    own = next(split for split, other in jsons.items() if other == file)
    folder, tried = find_images_folder(file, images, list(jsons.values()))
    # if no folder fits, the loader raises an error that lists the folders that were tried
    splits = {own: SplitSource((folder or file.parent,), file)}
    for split, other in jsons.items():
        if other != file:
            theirs, _ = find_images_folder(other, None, list(jsons.values()), also=images)
            if theirs is not None:
                splits[split] = SplitSource((theirs,), other)
    in_folders = len(jsons) > 1 and len({other.parent for other in jsons.values()}) > 1
    nested = file.parent.name.lower() in FOLDERS or in_folders
    return CocoLayout(file.parent.parent if nested else file.parent, own, in_order(splits), tuple(tried))


def find_jsons(file: Path) -> dict[str, Path]:
    """Find the JSON file of each split of the dataset. The result maps the name of a split to its file.

    If no split can be recognised in the name of `file` or of its folder, return only `file`, as the split ``train``.
    """
    match = _SPLIT_IN_NAME.match(file.stem)
    own = split_of_json(file)
    if own is None:
        return {"train": file}
    found = _find_in_split_folders(file) if canonical_split(file.parent.name) == own else {}
    if match is not None:
        for word in (*CANONICAL, *ALIASES):
            other = file.with_name(f"{match[1]}{word}{match[3]}{file.suffix}")
            if is_regular(other):
                found.setdefault(canonical_split(word), other)
        for other in sorted(file.parent.glob(f"{glob.escape(match[1])}*{file.suffix}")):
            split = split_of_json(other)
            if split is not None and split not in found and other.name.startswith(match[1]):
                found[split] = other
    return {**found, own: file}


def split_of_json(file: Path) -> str | None:
    """Return the split of a JSON file, for example ``val`` for ``instances_val2017.json``.

    If the name of the file does not contain a split, use the name of its folder. If neither contains one, return None.
    """
    match = _SPLIT_IN_NAME.match(file.stem)
    split = canonical_split(match[2] if match is not None else file.parent.name)
    return split if split in CANONICAL else None


def _find_in_split_folders(file: Path) -> dict[str, Path]:
    """Return the JSON files of a dataset with one folder per split, for example train/_annotations.coco.json.

    The JSON file of another split has the same name as `file`. If there is no such file, the only COCO JSON in the
    folder of the split is used.
    """
    found: dict[str, Path] = {}
    for folder in sorted(file.parent.parent.iterdir()):
        split = canonical_split(folder.name)
        if split not in CANONICAL or split in found or folder == file.parent or not folder.is_dir():
            continue
        if is_regular(folder / file.name):
            found[split] = folder / file.name
        elif len(others := [other for other in sorted(folder.glob("*.json")) if kind_of_json(other) == COCO]) == 1:
            found[split] = others[0]
    return found


def find_images_folder(
    file: Path, given: Path | None, jsons: Iterable[Path] = (), *, also: Path | None = None
) -> tuple[Path | None, list[Path]]:
    """Find the folder with the images of a JSON file.

    Return the first folder that contains one of these images, and a list of all folders that were tried. If no folder
    contains such an image, the first value is None.

    Parameters
    ----------
    file
        The JSON file.
    given
        The images folder, if it is known. It is returned without a search.
    jsons
        The JSON files of all splits. The search includes folders that are named like these files, for example
        ``train2017`` for ``instances_train2017.json``.
    also
        Another folder to try, or None.

    Raises
    ------
    MissingFileError
        `given` does not exist.
    """
    if given is not None:
        if not given.is_dir():
            raise MissingFileError(f"{given}: the images folder does not exist.{suggest_path(given)}")
        return given, [given]
    above = file.parent.parent
    candidates = [file.parent]
    if file.name != ROBOFLOW:
        for name in (_folder_name(json_file) for json_file in (file, *jsons)):
            candidates += [above / name, above / "images" / name, file.parent / name, file.parent / "images" / name]
        # the layout of CVAT: annotations/instances_default.json, images/default
        subset = file.stem.rpartition("_")[2]
        if canonical_split(split := file.parent.name) in CANONICAL:
            # for example annotations/train/a.json, images/train
            candidates += [above / "images" / split, above.parent / "images" / split, above.parent / split]
        candidates += [file.parent / "images", above / "images" / subset, above / "images"]
    if also is not None:
        candidates.append(also)
    references = _read_file_names(file)
    # in LVIS, the URL of an image contains the name of its folder
    urls = [path_in(reference).split("/") for reference in references if "://" in reference]
    parents = dict.fromkeys(parts[-2] for parts in urls if len(parts) > 2)
    for name in list(parents)[:5]:
        candidates += [home / name for home in (file.parent, file.parent / "images", above, above / "images")]
    candidates = list(dict.fromkeys(absolute(folder) for folder in candidates))
    names = [name for name in map(safe_name, references) if name is not None]
    # in Label Studio's COCO export, the file names are upload paths or URLs that end with the name of the image
    last_parts = [path_in(reference).rsplit("/", 1)[-1] for reference in references]
    for options in (names, last_parts):
        for folder in candidates:
            if folder.is_dir() and any(is_regular(folder / name) for name in options if name):
                return folder, candidates
    return None, candidates


def _folder_name(file: Path) -> str:
    """Return the name that the images folder of a JSON file usually has: ``train2017`` for
    ``instances_train2017.json``.
    """
    match = _SPLIT_IN_NAME.match(file.stem)
    return match[2] + match[3] if match else file.stem


def _read_file_names(file: Path) -> list[str]:
    """Return the file names of up to 1000 images in a JSON file.

    If the first 256 KiB contain any file names, only this part is read.
    """
    with open_regular(file) as handle:
        texts = _FILE_NAME.findall(handle.read(1 << 18))
        if not texts:
            handle.seek(0)
            texts = _FILE_NAME.findall(handle.read())
    names = []
    for text in texts[:1000]:
        try:
            names.append(json.loads(text).replace("\0", ""))
        except ValueError:
            continue
    return names
