"""Read CreateML JSON, a list of images with boxes. Roboflow, Create ML and RectLabel write this format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from detreduce.dataset.reading.annotation_json import read_annotation_json
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.reading.box_problems import UNREADABLE
from detreduce.dataset.reading.image_finder import ImageFinder
from detreduce.dataset.reading.labelled_boxes import Box, add_box
from detreduce.dataset.records import DetectionDataset, ImageRecord, Problem, Source
from detreduce.errors import InputError, MissingFileError


@dataclass(slots=True)
class _Image:
    """One entry of the file: an image, its boxes (x1, y1, x2, y2) in pixels, and its number of unusable annotations."""

    name: str
    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    left_out: int = 0
    # the size stays unknown, because CreateML files do not contain it
    width: int | None = None
    height: int | None = None


def load_createml(source: Source, split: str) -> DetectionDataset:
    """Load one split from its JSON file. Images are not opened.

    Classes are the labels in the file, sorted. The file gives the centre and the size of each box in pixels. Images
    whose file does not exist are left out and listed as problems. Raise MissingFileError if none of the images exists,
    and InputError if the file is not CreateML JSON.
    """
    place = source.splits[split]
    file, folder = place.annotations, place.images[0]
    assert file is not None, "a CreateML split has its JSON"
    problems: list[Problem] = []
    finder = ImageFinder(folder)
    rows: dict[str, _Image] = {}
    entries = read_entries(file)
    for number, entry in enumerate(entries):
        image = _read_image(entry, number, file)
        name = finder.find(image.name)
        if name is None:
            problems.append(Problem(file, f"image {image.name!r} does not exist; left out"))
        elif name in rows:
            problems.append(Problem(file, f"{name}: listed twice, used once"))
        else:
            rows[name] = image
    if entries and not rows:
        raise MissingFileError(
            f"{file}: none of its images ({len(entries):,}) exists below {folder}. Pass the images folder as images=."
        )
    names = tuple(sorted({label for image in rows.values() for label in image.labels}))
    class_of = {name: number for number, name in enumerate(names)}
    boxes = BoxCollector()
    for name in sorted(rows):
        boxes.add(rows[name].boxes, [class_of[label] for label in rows[name].labels])
        problems += [Problem(file, f"image {name}: {what}") for what in rows[name].findings]
    records = tuple(
        ImageRecord(name, name, folder / name, *arrays, unreadable=bool(rows[name].left_out) and not rows[name].boxes)
        for name, arrays in zip(sorted(rows), boxes.arrays(), strict=True)
    )
    return DetectionDataset(records, names, names, "xyxy", split, source, tuple(problems))


def count_images(source: Source, split: str) -> int:
    """Return the number of images that the JSON file of a split lists, or 0 if it cannot be read."""
    file = source.splits[split].annotations
    try:
        return len(read_entries(file)) if file is not None else 0
    except InputError:
        return 0


def read_entries(file: Path) -> list[Mapping[str, Any]]:
    """Return the entries of a JSON file. Raise InputError if the file is not a JSON list of images."""
    content = read_annotation_json(file)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(f"{file}: not CreateML: expected a JSON list of images.")
    return content


def name_of(entry: Mapping[str, Any]) -> str | None:
    """Return the name of the image in an entry, or None."""
    name = entry.get("image", entry.get("imagefilename"))
    return name if isinstance(name, str) and name.strip() else None


def _read_image(entry: Mapping[str, Any], number: int, file: Path) -> _Image:
    """Read one entry of the JSON file. Raise InputError if the entry does not name an image."""
    name = name_of(entry)
    if name is None:
        raise InputError(f"{file}: entry {number} does not name an image ('image').")
    image = _Image(name)
    given = entry.get("annotations", entry.get("annotation")) or []
    seen: dict[tuple[str, Box], str] = {}
    for place, note in enumerate(given if isinstance(given, Sequence) and not isinstance(given, str) else [None]):
        if what := _add_annotation(note, image, seen, place):
            image.findings.append(f"annotation {place}: {what}")
    if image.left_out and not image.boxes:
        image.findings.append(f"none of its annotations is usable; {UNREADABLE}")
    return image


def _add_annotation(note: Any, image: _Image, seen: dict[tuple[str, Box], str], place: int) -> str | None:
    """Add one annotation to its image. Return a description of what is wrong with the annotation, or None."""
    label = note.get("label") if isinstance(note, Mapping) else None
    sides = note.get("coordinates") if isinstance(note, Mapping) else None
    image.left_out += 1
    if not isinstance(label, str) or not label.strip():
        return "no label; left out"
    try:
        x, y, width, height = (float(sides[key]) for key in ("x", "y", "width", "height"))  # type: ignore[index]
    except (KeyError, TypeError, ValueError, OverflowError):
        return "the coordinates are not four numbers; left out"
    if not isfinite(x + y + width + height):
        return "the coordinates are not four finite numbers; left out"
    before = len(image.boxes)
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    found = add_box(image, label, box, f"annotation {place}", seen)
    image.left_out -= len(image.boxes) - before
    return "; ".join(found) or None
