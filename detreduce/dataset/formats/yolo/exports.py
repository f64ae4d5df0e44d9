"""YOLO folders without a data.yaml: Label Studio's classes.txt, and darknet's obj.data, which CVAT calls YOLO 1.1."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from detreduce.dataset.formats.yolo.read import PREFIX
from detreduce.dataset.reading.description import SPLIT_KEYS, Description, read_description
from detreduce.dataset.splits import canonical_split
from detreduce.errors import InputError, MissingFileError

CLASSES, NOTES = "classes.txt", "notes.json"
DARKNET, DARKNET_SUFFIX = "obj.data", ".data"
_NO_SPLITS = ("classes", "names", "backup", "eval", "results")


def is_yolo_export(file: Path) -> bool:
    """Whether a file stands in for a data.yaml: Label Studio's classes.txt or darknet's obj.data."""
    return file.name == CLASSES or file.suffix == DARKNET_SUFFIX


def read_yolo_description(file: Path) -> Description:
    """Read a data.yaml, or what says the same in an export without one; raises as `read_description` does."""
    if file.name == CLASSES:
        return _of_label_studio(file)
    return _of_darknet(file) if file.suffix == DARKNET_SUFFIX else read_description(file)


def as_data_yaml(description: Description) -> str:
    """The classes of such an export as the text of a data.yaml; its paths are the writer's to add."""
    names = yaml.safe_dump({"names": description.values["names"]}, sort_keys=False, allow_unicode=True)
    return f"# made by detreduce from {description.file.name}\n{names}"


def files_beside(file: Path) -> list[Path]:
    """The files that such an export consists of besides images, labels and lists, itself first."""
    if file.name == CLASSES:
        return [path for path in (file, file.with_name(NOTES)) if path.is_file()]
    return [file, _names_file(file, _pairs(file))]


def _of_label_studio(file: Path) -> Description:
    names = [line.strip() for line in _text(file).splitlines() if line.strip()]
    numbered = _numbered(file.with_name(NOTES)) or dict(enumerate(names))
    if not numbered:
        raise InputError(f"{file}: holds no class name; there should be one a line.")
    # labels name classes by the numbers in notes.json, which need not be the lines' where a project chose its own
    every = {number: numbered.get(number, f"class_{number}") for number in range(max(numbered) + 1)}
    return Description(file, {"train": "images", "names": every})


def _numbered(notes: Path) -> dict[int, str]:
    try:
        found = json.loads(notes.read_text(encoding="utf-8"))["categories"]
        numbers = {entry["id"]: str(entry["name"]) for entry in found}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return numbers if all(isinstance(number, int) and number >= 0 for number in numbers) else {}


def _of_darknet(file: Path) -> Description:
    pairs = _pairs(file)
    names = [line.strip() for line in _text(_names_file(file, pairs)).splitlines() if line.strip()]
    values: dict[str, Any] = {"names": dict(enumerate(names))}
    oddities = []
    for key, value in pairs.items():
        if key in _NO_SPLITS:
            continue
        if canonical_split(key).lower() not in SPLIT_KEYS:
            oddities.append(f"the subset {key!r} is none of train, val and test; left out")
            continue
        values[key] = _there(file.parent, value)
    return Description(file, values, tuple(oddities))


def _pairs(file: Path) -> dict[str, str]:
    lines = [line.partition("=") for line in _text(file).splitlines()]
    pairs = {key.strip(): value.strip() for key, equals, value in lines if equals}
    if "names" not in pairs:
        raise InputError(f"{file}: not a darknet data file: there is no line 'names = obj.names'.")
    return pairs


def _names_file(file: Path, pairs: Mapping[str, str]) -> Path:
    return file.parent / _there(file.parent, pairs["names"])


def _there(folder: Path, value: str) -> str:
    """A path of obj.data: CVAT's begin with ``data/``, a folder that its archives do not have."""
    bare = value.removeprefix(PREFIX)
    return bare if not (folder / value).is_file() and (folder / bare).is_file() else value


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise MissingFileError(f"{file}: cannot be read ({error.strerror}).") from None
