"""Find the other splits and the images of a COCO JSON, in Roboflow's and in the official layout."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.listing import absolute
from detreduce.dataset.reading.image_finder import path_in, safe_name
from detreduce.dataset.records import SplitSource
from detreduce.dataset.splits import ALIASES, CANONICAL, canonical_split, in_order
from detreduce.errors import MissingFileError

ROBOFLOW = "_annotations.coco.json"
_WORDS = "|".join(sorted({*CANONICAL, *ALIASES}, key=len, reverse=True))
_SPLIT_IN_NAME = re.compile(rf"^(.*?)(?<![a-z])({_WORDS})(?![a-z])(.*)$", re.IGNORECASE)
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class CocoLayout:
    """The splits around a JSON, its own split, and the folders tried for its images."""

    root: Path
    own_split: str
    splits: dict[str, SplitSource]
    tried: tuple[Path, ...]


def find_layout(file: Path, images: Path | None = None) -> CocoLayout:
    """Find the images folder of a JSON and the JSONs of the other splits.

    Roboflow: ``train/_annotations.coco.json`` next to ``valid/`` and ``test/``, images next to the JSON. Official:
    ``annotations/instances_train2017.json`` next to ``instances_val2017.json``, images in ``../train2017`` or
    ``../images/train2017``. `images` is the folder of this JSON, and of other splits without a folder of their own. A
    JSON without a split in its name is ``train``. Raises MissingFileError where `images` does not exist.
    """
    if not file.is_file():
        raise MissingFileError(f"{file}: the annotations are not there.")
    jsons = _find_jsons(file)
    own = next(split for split, other in jsons.items() if other == file)
    folder, tried = find_images_folder(file, images, list(jsons.values()))
    # where no folder fits, the loader raises with the folders tried
    splits = {own: SplitSource((folder or file.parent,), file)}
    for split, other in jsons.items():
        if other != file:
            theirs, _ = find_images_folder(other, None, list(jsons.values()), also=images)
            if theirs is not None:
                splits[split] = SplitSource((theirs,), other)
    nested = file.parent.name == "annotations" or (file.name == ROBOFLOW and len(jsons) > 1)
    return CocoLayout(file.parent.parent if nested else file.parent, own, in_order(splits), tuple(tried))


def _find_jsons(file: Path) -> dict[str, Path]:
    """Return the JSON of each split, this one included; ``train`` where neither place nor name gives its split."""
    found: dict[str, Path] = {}
    if file.name == ROBOFLOW:
        own = canonical_split(file.parent.name)
        if own not in CANONICAL:
            return {"train": file}
        for folder in sorted(file.parent.parent.iterdir()):
            split = canonical_split(folder.name)
            if split in CANONICAL and (folder / ROBOFLOW).is_file():
                found.setdefault(split, folder / ROBOFLOW)
        return {**found, own: file}
    match = _SPLIT_IN_NAME.match(file.stem)
    if match is None:
        return {"train": file}
    for word in (*CANONICAL, *ALIASES):
        other = file.with_name(f"{match[1]}{word}{match[3]}{file.suffix}")
        if other.is_file():
            found.setdefault(canonical_split(word), other)
    return {**found, canonical_split(match[2]): file}


def find_images_folder(
    file: Path, given: Path | None, jsons: Iterable[Path] = (), *, also: Path | None = None
) -> tuple[Path | None, list[Path]]:
    """Return the first folder that holds an image of the JSON (or None), and the folders tried."""
    if given is not None:
        if not given.is_dir():
            raise MissingFileError(f"{given}: the images folder is not there.")
        return given, [given]
    above = file.parent.parent
    candidates = [file.parent]
    if file.name != ROBOFLOW:
        for name in (_folder_name(json_file) for json_file in (file, *jsons)):
            candidates += [above / name, above / "images" / name, file.parent / name, file.parent / "images" / name]
        # CVAT: annotations/instances_default.json, images/default
        subset = file.stem.rpartition("_")[2]
        candidates += [file.parent / "images", above / "images" / subset, above / "images"]
    if also is not None:
        candidates.append(also)
    candidates = list(dict.fromkeys(absolute(folder) for folder in candidates))
    references = _read_file_names(file)
    names = [name for name in map(safe_name, references) if name is not None]
    # Label Studio's file names are upload paths or URLs; the images are named after their last part
    last_parts = [path_in(reference).rsplit("/", 1)[-1] for reference in references]
    for options in (names, last_parts):
        for folder in candidates:
            if folder.is_dir() and any(os.path.isfile(folder / name) for name in options if name):  # noqa: PTH113
                return folder, candidates
    return None, candidates


def _folder_name(file: Path) -> str:
    """``instances_train2017.json`` -> ``train2017``."""
    match = _SPLIT_IN_NAME.match(file.stem)
    return match[2] + match[3] if match else file.stem


def _read_file_names(file: Path) -> list[str]:
    """Return some file names of a JSON, from its beginning if it has any there, else from the whole file."""
    with file.open("rb") as handle:
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
