"""Read LabelMe folders, which contain one JSON file for each image, usually next to the image."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from detreduce.dataset.paths.listing import absolute, below, find_files
from detreduce.dataset.reading.annotation_kinds import LABELME, kind_of_json, spread_first
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.reading.box_problems import UNREADABLE
from detreduce.dataset.reading.labelled_boxes import Box, add_box
from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Problem, Source, SplitSource
from detreduce.dataset.splits import CANONICAL, canonical_split, in_order
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import LABELS, is_regular, read_regular

# shapes without an area; this is not a set, because a file may give a list as the type, and lists cannot be hashed
_NO_BOXES = ("point", "points", "line", "linestrip")


@dataclass(slots=True)
class _Note:
    """The content of one JSON file.

    `image` is the path of the image relative to the root. It is None if the image does not exist, or if the file could
    belong to each of several images.
    """

    path: Path
    image: str | None = None
    width: int | None = None
    height: int | None = None
    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    unreadable: bool = False


def has_labelme(folder: Path) -> bool:
    """Return whether a folder or one of its subfolders contains LabelMe JSON files."""
    files = find_files(folder, {".json"})
    return any(kind_of_json(folder / name) == LABELME for name in spread_first(files, 20))


def find_labelme_splits(folder: Path) -> dict[str, SplitSource]:
    """Return one split for each folder that is called train, valid or test.

    If JSON files are also in other folders, all files together are the split train.
    """
    parts: dict[str, SplitSource] = {}
    for name in find_files(folder, {".json"}):
        first = name.split("/", 1)[0] if "/" in name else ""
        if canonical_split(first) not in CANONICAL:
            return {"train": SplitSource((folder,))}
        parts.setdefault(canonical_split(first), SplitSource((folder / first,)))
    return in_order(parts) if parts else {"train": SplitSource((folder,))}


def load_labelme(source: Source, split: str) -> DetectionDataset:
    """Load one split of a LabelMe folder. Images are not opened.

    Classes are the labels of all JSON files in the folder, sorted, so that all splits have the same classes. Each
    polygon, circle or mask is replaced by the box around it. Points and lines are left out and listed as problems.
    Images without a JSON file are also left out and listed, because LabelMe does not write a file for an image that
    nobody has labelled.

    Raise InputError if the split has no images.
    """
    folder = source.splits[split].images[0]
    images = _Images(source.root)
    notes = _read_notes(images)
    names = tuple(sorted({label for note in notes for label in note.labels}))
    class_of = {name: number for number, name in enumerate(names)}
    problems: list[Problem] = []
    rows: dict[str, _Note] = {}
    inside = below(str(folder), str(source.root))
    for note in notes:
        if inside is not None and not (below(str(note.path), str(folder)) or (note.image or "").startswith(inside)):
            continue
        if note.image is None:
            alike = ", ".join(images.names_beside(note.path))
            why = f"it does not say which of the images {alike} it describes" if alike else "the image does not exist"
            problems.append(Problem(note.path, f"{why}; left out"))
        elif note.image in rows:
            problems.append(Problem(note.path, f"{note.image} has several JSON files; {rows[note.image].path} is used"))
        else:
            rows[note.image] = note
            problems += [Problem(note.path, what) for what in note.findings]
    if not rows:
        raise InputError(f"{folder}: none of the images of the LabelMe files exists.")
    described = {note.path: note.image for note in notes}
    start = f"{inside}/" if inside else ""
    for name in find_files(source.root, IMAGE_SUFFIXES):
        if name.startswith(start) and name not in rows:
            why = _why_unlabelled(source.root / name, described)
            problems.append(Problem(source.root / name, f"{why}; left out"))
    boxes = BoxCollector()
    for name in sorted(rows):
        boxes.add(rows[name].boxes, [class_of[label] for label in rows[name].labels])
    records = tuple(
        ImageRecord(
            name, name, source.root / name, *arrays, note.width, note.height, note.path, unreadable=note.unreadable
        )
        for name, arrays in zip(sorted(rows), boxes.arrays(), strict=True)
        for note in [rows[name]]
    )
    return DetectionDataset(records, names, names, "xyxy", split, source, tuple(problems))


def count_images(source: Source, split: str) -> int:
    """Return the number of JSON files in the folder of a split."""
    return len(find_files(source.splits[split].images[0], {".json"}))


def _why_unlabelled(image: Path, described: Mapping[Path, str | None]) -> str:
    """Return why an image has no labels. `described` maps each JSON file to its image, relative to the root."""
    shared = image.with_suffix(".json")
    if (other := described.get(shared)) is not None:
        return f"{shared.name} describes {PurePosixPath(other).name}, and there is no other JSON file"
    return "has no JSON file"


def _read_notes(images: _Images) -> list[_Note]:
    """Read all LabelMe files below the root.

    A JSON file that cannot be parsed also counts as a LabelMe file if it is next to an image of the same name.
    """
    root = images.root
    files = find_files(root, {".json"}, with_folders=True)
    notes = []
    with progress("reading annotations", len(files), "files") as advance:
        for name in files:
            advance()
            note = _read_note(images, root / name)
            if note is not None:
                notes.append(note)
    return notes


def _read_note(images: _Images, file: Path) -> _Note | None:
    """Read one file. Return None if it is not a LabelMe file."""
    note = _Note(file, images.find_beside(file))
    try:
        content = parse_json(read_regular(file, LABELS).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        note.findings.append(f"not valid JSON ({error}); {UNREADABLE}")
        note.unreadable = True
        return note if images.names_beside(file) else None
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        return None
    note.image = images.find_named(file, str(content.get("imagePath") or "")) or note.image
    sides = [content.get(key) for key in ("imageWidth", "imageHeight")]
    if all(isinstance(side, int | float) and 1 <= side < 2**31 for side in sides):
        note.width, note.height = int(sides[0]), int(sides[1])  # type: ignore[arg-type]
    seen: dict[tuple[str, Box], str] = {}
    faulty = 0
    for number, shape in enumerate(content["shapes"], 1):
        if isinstance(shape, Mapping) and shape.get("shape_type") in _NO_BOXES:
            note.findings.append(f"shape {number}: a {shape['shape_type']} is not a box; left out")
            continue
        before = len(note.boxes)
        if what := _add_shape(shape, number, note, seen):
            note.findings.append(f"shape {number}: {what}")
        faulty += len(note.boxes) == before
    if faulty and not note.boxes:
        note.findings.append(f"none of its shapes is usable; {UNREADABLE}")
        note.unreadable = True
    return note


class _Images:
    """Finds the images that belong to JSON files. Reads the list of files of each folder only once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._beside: dict[Path, dict[str, list[str]]] = {}

    def find_named(self, file: Path, named: str) -> str | None:
        """Return the path, relative to the root, of the image that a JSON file names.

        If the image does not exist, return None.
        """
        path = absolute(file.parent / named.replace("\\", "/"))
        for option in (path, file.parent / path.name):
            inside = below(str(option), str(self.root))
            if inside is not None and option.suffix.lower() in IMAGE_SUFFIXES and is_regular(option):
                return inside
        return None

    def find_beside(self, file: Path) -> str | None:
        """Return the path, relative to the root, of the image next to a JSON file.

        The image and the JSON file have the same name without suffix. If there is no such image, or if there are
        several, return None.
        """
        names = self.names_beside(file)
        return below(str(file.parent / names[0]), str(self.root)) if len(names) == 1 else None

    def names_beside(self, file: Path) -> Sequence[str]:
        """Return the names of the images next to a JSON file that have the same name without suffix."""
        if file.parent not in self._beside:
            self._beside[file.parent] = self._list(file.parent)
        return self._beside[file.parent].get(file.stem, ())

    def _list(self, folder: Path) -> dict[str, list[str]]:
        """Return the names of the images in a folder, keyed by the name without suffix: ``{"a": ["a.jpg"]}``."""
        found: dict[str, list[str]] = {}
        with suppress(OSError):
            for name in sorted(os.listdir(folder)):  # noqa: PTH208
                stem, suffix = os.path.splitext(name)  # noqa: PTH122
                if suffix.lower() in IMAGE_SUFFIXES:
                    found.setdefault(stem, []).append(name)
        return found


def _add_shape(shape: Any, number: int, note: _Note, seen: dict[tuple[str, Box], str]) -> str | None:
    """Add the box around a shape to the note. Return a description of what is wrong with the shape, or None."""
    label = shape.get("label") if isinstance(shape, Mapping) else None
    if not isinstance(label, str) or not label.strip():
        return "no label; left out"
    box = _find_box(shape)
    if box is None:
        return "the points are not finite numbers; left out"
    return "; ".join(add_box(note, label, box, f"shape {number}", seen)) or None


def _find_box(shape: Mapping[str, Any]) -> Box | None:
    """Return the box (x1, y1, x2, y2) around the points of a shape, or None if the points are not usable.

    The points of a circle are its centre and a point on its edge.
    """
    points = shape.get("points")
    if not isinstance(points, Sequence) or len(points) < 2:
        return None
    try:
        xs, ys = [float(point[0]) for point in points], [float(point[1]) for point in points]
    except (TypeError, ValueError, OverflowError, IndexError, KeyError):
        return None
    if shape.get("shape_type") == "circle":
        radius = math.hypot(xs[1] - xs[0], ys[1] - ys[0])
        xs, ys = [xs[0] - radius, xs[0] + radius], [ys[0] - radius, ys[0] + radius]
    box = (min(xs), min(ys), max(xs), max(ys))
    return box if all(map(math.isfinite, [*xs, *ys])) else None
