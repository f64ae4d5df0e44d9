"""Read which licence each image of a dataset is under, where its files say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.writing.data_yaml import load_mapping
from detreduce.errors import InputError

NOT_STATED = "not stated"

LicenceOf = Callable[[ImageId], str]


def read_licences(dataset: DetectionDataset) -> LicenceOf | None:
    """A function from image id to licence name, or None where the dataset states no licence."""
    source = dataset.source
    if source.format == "yolo":
        name = _yaml_licence(source.path)
        return (lambda _: name) if name is not None else None
    return None


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
