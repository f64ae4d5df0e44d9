"""Read which licence each image of a dataset is under, where its files say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from detreduce.dataset.formats.yolo.data_yaml import load_mapping
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.writing.json_text import read_text, walk
from detreduce.errors import InputError

NOT_STATED = "not stated"

LicenceOf = Callable[[ImageId], str]


def read_licences(dataset: DetectionDataset) -> LicenceOf | None:
    """A function from image id to licence name, or None where the dataset states no licence."""
    source = dataset.source
    if source.format == "yolo":
        name = _yaml_licence(source.path)
        return (lambda _: name) if name is not None else None
    if source.format == "coco":
        path = source.splits[dataset.split].annotations
        names = coco_licences(path) if path is not None else {}
        return (lambda image_id: names.get(image_id, NOT_STATED)) if names else None
    return None


def coco_licences(path: Path) -> dict[ImageId, str]:
    """Licence name of each image of a COCO JSON that has one; images and licences are read, annotations are not."""
    names: dict[Any, str] = {}
    number_of: dict[ImageId, Any] = {}
    seen: set[str] = set()
    try:
        for event in walk(read_text(path), ("licenses", "images", "annotations")):
            if event.kind == "close":
                seen.add(event.key)
                if seen >= {"licenses", "images"}:
                    break
            elif event.kind == "element" and isinstance(event.value, dict):
                entry = event.value
                if event.key == "licenses":
                    names[_key(entry.get("id"))] = str(entry.get("name") or entry.get("url") or entry.get("id"))
                elif event.key == "images" and entry.get("license") is not None and _key(entry.get("id")) is not None:
                    number_of[entry["id"]] = _key(entry["license"])
    except (OSError, ValueError):
        return {}
    return {image: names.get(number, f"licence {number}") for image, number in number_of.items()}


def _key(value: Any) -> int | str | None:
    return value if isinstance(value, int | str) else None


def _yaml_licence(path: Path) -> str | None:
    try:
        content = load_mapping(path.read_text(encoding="utf-8", errors="ignore"))
    except (OSError, yaml.YAMLError, InputError):
        return None
    places = [content, content.get("roboflow")]
    for place in places:
        if isinstance(place, Mapping):
            for key in ("license", "licence"):
                if place.get(key):
                    return str(place[key])
    return None
