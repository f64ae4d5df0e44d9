"""Read the licences of images from a COCO JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detreduce.dataset.formats.format import LicenceOf
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.writing.json_text import read_text, walk

NOT_STATED = "not stated"


def read_coco_licences(dataset: DetectionDataset) -> LicenceOf | None:
    """Return a function that maps an image id to a licence, or None if the JSON file does not state licences."""
    path = dataset.source.splits[dataset.split].annotations
    names = licences_in(path) if path is not None else {}
    return (lambda image_id: names.get(image_id, NOT_STATED)) if names else None


def licences_in(path: Path) -> dict[ImageId, str]:
    """Return the names of the licences, keyed by image id. Images without a licence are left out."""
    names: dict[Any, str] = {}
    number_of: dict[ImageId, Any] = {}
    seen: set[str] = set()
    try:
        for event in walk(read_text(path), ("licenses", "images", "annotations")):
            if event.kind == "close":
                seen.add(event.key)
                # stop here if possible, because the annotations are most of the file and contain no licences
                if seen >= {"licenses", "images"} or ("images" in seen and not number_of):
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
    """Return a value from the JSON file if it can be an id (a whole number or a string), otherwise None."""
    return value if isinstance(value, int | str) else None
