"""Read Label Studio's own exports, JSON and JSON-MIN, which are lists of tasks without the image files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detreduce.dataset.reading.annotation_json import read_annotation_json
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.reading.box_problems import UNREADABLE, bad_extent, duplicate, outside_unit
from detreduce.dataset.reading.image_finder import ImageFinder, path_in
from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Problem, Source, SplitSource
from detreduce.display.numbers import counted
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.near_files import suggest_path

# the keys under which a region has its labels; in JSON, the key is also the type of the region, but JSON-MIN has no
# types
_BOXED = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
# the types of regions that should give a box
_SHAPES = frozenset({*_BOXED[:3], "rectangle", "polygon", "ellipse"})
_KNOWN = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
Box = tuple[float, float, float, float]
Pair = tuple[float, float]


@dataclass(slots=True)
class _Task:
    """One task: an image, and its boxes (cx, cy, w, h) as fractions. `reference` is the path or URL of the image."""

    id: int | str
    reference: str
    width: int | None = None
    height: int | None = None
    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    faulty: bool = False


def find_label_studio_splits(file: Path, images: Path | None = None) -> dict[str, SplitSource]:
    """Return the splits of an export. It has only one, which is called train.

    `images` is the images folder. The default is the folder ``images`` next to the file if it exists, otherwise the
    folder of the file. Raise MissingFileError if `images` does not exist.
    """
    if images is not None and not images.is_dir():
        raise MissingFileError(f"{images}: the images folder does not exist.{suggest_path(images)}")
    return {"train": SplitSource((images or default_images(file),), file)}


def default_images(file: Path) -> Path:
    """Return the folder ``images`` next to the file if it exists, otherwise the folder of the file."""
    default = file.parent / "images"
    return default if default.is_dir() else file.parent


def load_label_studio(source: Source, split: str) -> DetectionDataset:
    """Load an export. Each image is found by the file name in the path or URL of its task, and is not opened.

    Classes are the labels in the file, sorted. If a task has several annotations, the annotation that is marked as
    ground truth is used. If none is marked, the latest annotation is used. Cancelled annotations are never used. Each
    rotated rectangle, ellipse or polygon is replaced by the box around it. Brush strokes and key points are left out
    and listed as problems. A task without an annotation becomes a background image and is listed. A task whose image
    does not exist is left out and listed.

    Raise MissingFileError if none of the images exists, and InputError if the file is not a Label Studio export.
    """
    place = source.splits[split]
    file, folder = place.annotations, place.images[0]
    assert file is not None, "a Label Studio split has its JSON"
    problems: list[Problem] = []
    tasks = list(_read_images(read_tasks(file), file, problems))
    rows = _find_images(tasks, file, folder, problems)
    names = tuple(sorted({label for task in tasks for label in task.labels}))
    class_of = {name: number for number, name in enumerate(names)}
    boxes = BoxCollector()
    for name in sorted(rows):
        task = rows[name]
        boxes.add(task.boxes, [class_of[label] for label in task.labels])
        problems += [Problem(file, f"task {task.id}: {what}") for what in task.findings]
    left_out = sum((task.left_out for task in rows.values()), Counter())
    problems += [
        Problem(file, f"{counted(count, f'{kind} region is not a box', f'{kind} regions are not boxes')}; left out")
        for kind, count in left_out.items()
    ]
    records = tuple(
        ImageRecord(
            task.id, name, folder / name, *arrays, task.width, task.height, unreadable=task.faulty and not task.boxes
        )
        for name, arrays in zip(sorted(rows), boxes.arrays(), strict=True)
        for task in [rows[name]]
    )
    return DetectionDataset(records, names, names, "cxcywhn", split, source, tuple(problems))


def count_images(source: Source, split: str) -> int:
    """Return the number of tasks in an export, whether or not their images exist.

    Return 0 if the file cannot be read.
    """
    file = source.splits[split].annotations
    try:
        return len(read_tasks(file)) if file is not None else 0
    except InputError:
        return 0


def read_tasks(file: Path) -> list[dict[str, Any]]:
    """Return the tasks of an export. Raise InputError if the file is not a JSON list of tasks."""
    content = read_annotation_json(file)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(f"{file}: unknown JSON. Use COCO (an object with 'images') or Label Studio (a list of tasks).")
    if not content:
        raise InputError(f"{file}: the list of tasks is empty. Export a project that has tasks.")
    return content


def key_of(entry: Mapping[str, Any]) -> int | str | None:
    """Return the id of a task. If the id is missing, return the path or URL of the task's image.

    Return None if both are missing.
    """
    key = entry.get("id")
    return key if isinstance(key, int | str) and not isinstance(key, bool) else _find_reference(_data_of(entry))


def _data_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a task that names the image. In a minimal export, this part is the task itself."""
    return entry["data"] if isinstance(entry.get("data"), Mapping) else entry


def _read_images(entries: Sequence[Mapping[str, Any]], file: Path, problems: list[Problem]) -> Iterator[_Task]:
    """Yield the tasks that name an image. Add a problem for each task that does not.

    Raise InputError if no task names an image.
    """
    missing = 0
    for number, entry in enumerate(entries, 1):
        key, reference = key_of(entry), _find_reference(_data_of(entry))
        if key is not None and reference is not None:
            yield _read_regions(entry, _Task(key, reference))
            continue
        missing += 1
        if missing == len(entries):
            raise InputError(f"{file}: no task names an image. Use an export of an image project.")
        problems.append(Problem(file, f"task {entry.get('id', number)} does not name an image; left out"))


def _read_regions(entry: Mapping[str, Any], task: _Task) -> _Task:
    """Add the boxes of the best annotation in `entry` to `task`, and return `task`."""
    minimal = not isinstance(entry.get("data"), Mapping)
    seen: dict[tuple[str, Box], int] = {}
    regions = list(_list_minimal_regions(entry) if minimal else _list_regions(entry, task))
    # with <Rectangle> and <Labels>, a project stores each region twice: once without and once with its label
    labelled = {_outline(value) for _, value in regions if _labels_of(value)}
    for kind, value in regions:
        if _labels_of(value) or _outline(value) not in labelled:
            _add_region(task, kind, value, seen)
    if task.faulty and not task.boxes:
        task.findings.append(f"none of its regions is usable; {UNREADABLE}")
    return task


def _labels_of(value: Mapping[str, Any]) -> list[str]:
    """Return the labels of a region. A label is a number, or a string that is not blank."""
    for key in _BOXED:
        given = value.get(key)
        labels = [str(label) for label in given if isinstance(label, str | int)] if isinstance(given, list) else []
        if found := [label for label in labels if label.strip()]:
            return found
    return []


def _outline(value: Mapping[str, Any]) -> str:
    """Return the geometry of a region as a text, to compare regions."""
    keys = ("x", "y", "width", "height", "radiusX", "radiusY", "points", "rotation")
    return repr([value.get(key) for key in keys])


def _find_reference(data: Mapping[str, Any]) -> str | None:
    """Return the path or URL of a task's image: the value of ``image``, or the first value with the suffix of an image.

    Return None if there is no such value.
    """
    texts = {key: value for key, value in data.items() if isinstance(value, str) and key not in _KNOWN}
    for key in ("image", *texts):
        if key in texts and Path(path_in(texts[key])).suffix.lower() in IMAGE_SUFFIXES:
            return texts[key]
    return texts.get("image")


def _list_regions(entry: Mapping[str, Any], task: _Task) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the type and the value of each region in a task's best annotation.

    The size of the image (``original_width``, ``original_height``) is added to each value.
    """
    listed = entry.get("annotations") or entry.get("completions")
    given = [a for a in (listed if isinstance(listed, list) else ()) if isinstance(a, Mapping)]
    valid = [a for a in given if not a.get("was_cancelled") and not a.get("skipped")]
    if not valid:
        task.findings.append("no annotation; the image counts as background")
        return
    best = max(valid, key=_weigh_annotation)
    if len(valid) > 1:
        task.findings.append(
            f"{counted(len(valid), 'annotation')}; only {best.get('id')} (ground truth or latest) counts"
        )
    result = best.get("result") or []
    if not isinstance(result, list):
        task.findings.append(f"the result of annotation {best.get('id')} is not a list; left out")
        task.faulty = True
        return
    for region in result:
        kind = str(region.get("type", "")) if isinstance(region, Mapping) else ""
        if isinstance(region, Mapping) and isinstance(region.get("value"), Mapping):
            size = {key: region[key] for key in ("original_width", "original_height") if key in region}
            yield kind, {**region["value"], **size}
        elif not isinstance(region, Mapping) or kind in _SHAPES:
            task.findings.append(f"{kind or 'region'} has no value; left out")
            task.faulty = True


def _weigh_annotation(annotation: Mapping[str, Any]) -> tuple[bool, str]:
    """Return the sort key of an annotation. The best annotation has the largest key.

    Annotations that are marked as ground truth are better than others. Then, later changes are better.
    """
    when = annotation.get("updated_at") or annotation.get("created_at") or ""
    return bool(annotation.get("ground_truth")), str(when)


def _list_minimal_regions(entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the type and the value of each region of a task in the format JSON-MIN."""
    for key, values in entry.items():
        if key in _KNOWN or not isinstance(values, list):
            continue
        for value in values:
            if isinstance(value, Mapping):
                yield next((kind for kind in value if kind.endswith("labels")), ""), value


def _add_region(task: _Task, kind: str, value: Mapping[str, Any], seen: dict[tuple[str, Box], int]) -> None:
    """Add the boxes of a region to its task. If the region is faulty, add a description to `findings`.

    `seen` maps the label and the box of each earlier region of the task to the number of the region.
    """
    sides = [value.get(f"original_{side}") for side in ("width", "height")]
    if task.width is None and all(isinstance(side, int | float) and 1 <= side < 2**31 for side in sides):
        task.width, task.height = int(sides[0]), int(sides[1])  # type: ignore[arg-type]
    labels = _labels_of(value)
    if not labels:
        if kind.endswith("labels") and kind not in _BOXED:
            task.left_out[kind] += 1
        elif kind in _SHAPES or "points" in value or {"x", "height"} <= value.keys():
            task.findings.append(f"{kind or 'region'} has no label; left out")
            task.faulty = True
        return
    corners = _find_corners(value, task.width or 1, task.height or 1)
    if corners is None:
        if kind in _SHAPES or "x" in value or "points" in value:
            task.findings.append(f"{kind or 'region'} does not have four finite numbers; left out")
            task.faulty = True
        else:
            task.left_out[kind] += 1
        return
    x1, y1, x2, y2 = corners
    extent = bad_extent(x2 - x1, y2 - y1)
    task.findings += [extent[0]] if extent is not None else []
    outside = outside_unit(corners, corners)
    task.findings += [outside] if outside else []
    box = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
    for label in labels:
        if (label, box) in seen:
            task.findings.append(duplicate(f"region {seen[label, box]}"))
        seen.setdefault((label, box), len(task.boxes) + 1)
        task.boxes.append(box)
        task.labels.append(label)


def _find_corners(value: Mapping[str, Any], width: int, height: int) -> Box | None:
    """Return the box (x1, y1, x2, y2) around a region as fractions, or None if the region does not give a box.

    The values of a region are in percent of the width and the height of the image.
    """
    try:
        if "points" in value:
            points = [(float(x) / 100, float(y) / 100) for x, y in value["points"]]
        elif "radiusX" in value:
            x, y, rx, ry = (float(value[key]) / 100 for key in ("x", "y", "radiusX", "radiusY"))
            points = _bound_ellipse((x, y), (rx, ry), float(value.get("rotation") or 0), (width, height))
        else:
            x, y, w, h = (float(value[key]) / 100 for key in ("x", "y", "width", "height"))
            points = _turn_rectangle((x, y), (w, h), float(value.get("rotation") or 0), (width, height))
        across, down = [point[0] for point in points], [point[1] for point in points]
        box = (min(across), min(down), max(across), max(down))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return box if all(map(math.isfinite, [*across, *down])) else None


def _turn_rectangle(corner: Pair, sides: Pair, degrees: float, image: tuple[int, int]) -> list[Pair]:
    """Return the corners of a rectangle as fractions, after a rotation about its first corner.

    As in Label Studio, the rotation is done in pixels. Without a rotation, only two opposite corners are returned.
    """
    (x, y), (w, h), (width, height) = corner, sides, image
    if not degrees:
        return [(x, y), (x + w, y + h)]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(0.0, 0.0), (w * width, 0.0), (w * width, h * height), (0.0, h * height)]
    return [(x + (a * cos - b * sin) / width, y + (a * sin + b * cos) / height) for a, b in corners]


def _bound_ellipse(centre: Pair, radii: Pair, degrees: float, image: tuple[int, int]) -> list[Pair]:
    """Return two opposite corners of the box around a rotated ellipse, as fractions of the image.

    The ellipse is rotated about its centre.
    """
    (x, y), (width, height), angle = centre, image, math.radians(degrees)
    a, b = radii[0] * width, radii[1] * height
    across = math.hypot(a * math.cos(angle), b * math.sin(angle)) / width
    down = math.hypot(a * math.sin(angle), b * math.cos(angle)) / height
    return [(x - across, y - down), (x + across, y + down)]


def _describe_repeat(task: _Task, first: _Task) -> str:
    """Return a text about a task whose id is also the id of an earlier task, `first`."""
    if task.reference == first.reference:
        return f"task {task.id} is listed twice (probably several annotators); used once"
    images = f"{first.reference!r} and {task.reference!r}"
    return f"tasks of two images, {images}, have the id {task.id}; only the first is used"


def _find_images(tasks: Sequence[_Task], file: Path, folder: Path, problems: list[Problem]) -> dict[str, _Task]:
    """Return the tasks whose image exists, keyed by the path of the image. Add a problem for each other task."""
    finder = ImageFinder(folder)
    rows: dict[str, _Task] = {}
    missing: list[_Task] = []
    first: dict[int | str, _Task] = {}
    for task in tasks:
        if (other := first.setdefault(task.id, task)) is not task:
            problems.append(Problem(file, _describe_repeat(task, other)))
            continue
        name = finder.find(task.reference)
        if name is None:
            missing.append(task)
        elif name in rows:
            problems.append(
                Problem(
                    file, f"{name}: tasks {rows[name].id} and {task.id} both name this image; only the first is used"
                )
            )
        else:
            rows[name] = task
    if not rows:
        raise MissingFileError(
            f"{file}: none of its images ({len(tasks):,}; the first: {tasks[0].reference}) exists "
            f"below {folder}. "
            "Label Studio's JSON comes without images. Pass the images folder as images=."
        )
    problems += [
        Problem(file, f"task {task.id}: the image {task.reference!r} does not exist; left out") for task in missing
    ]
    return rows
