"""Compare the labels of identical images in two datasets: boxes, and polygons, keypoints and attributes."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from detreduce.dataset.merging.parts import Part
from detreduce.dataset.records import ImageId
from detreduce.dataset.writing.json_text import read_text
from detreduce.machine.untrusted.regular_files import LABELS, read_regular

SAME_BOX = 1e-3
"""Two boxes are equal if their corners differ by at most this fraction of the image. Formats round differently."""
_LEAST_PIXELS = 0.01
# keys of a COCO annotation that the classes and the boxes cover, or that follow from the polygon
_COVERED = ("id", "image_id", "category_id", "area")
_NEAREST = 8
_MOST_ROUNDED = 2000
T = TypeVar("T")
ClassBoxes = list[tuple[str, npt.NDArray[np.float64]]]


class Member(NamedTuple):
    """An image to merge: the index of its `Part`, and the row of the image in the part."""

    part: int
    row: int


class _Object(NamedTuple):
    """One labelled object: the name of its class, its values, and by how much numbers of equal objects may differ."""

    name: str
    values: Any
    tolerance: float


class LabelComparison:
    """Compares the labels of images. Annotation files are read only if boxes are equal, and each file only once."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self._annotations: dict[int, dict[ImageId, list[dict[str, Any]]]] = {}

    def boxes_of(self, member: Member) -> ClassBoxes:
        """Return the class name and the corners of each box of an image, including crowd regions."""
        dataset = self.parts[member.part].dataset
        few = replace(dataset, records=(dataset[member.row],))
        return [(few.class_names[number], box) for number, box in zip(few.box_classes, few.boxes_xyxyn, strict=True)]

    def same_details(self, one: Member, other: Member) -> bool:
        """Return whether two images with equal boxes have the same polygons, keypoints and attributes.

        The order of the objects does not matter. Two formats are not compared, because each writes such details in its
        own way. Only YOLO and COCO are compared, because a merge drops the details of the other formats.
        """
        formats = {self.parts[member.part].dataset.source.format for member in (one, other)}
        if formats == {"yolo"}:
            return _same_objects(self._lines(one), self._lines(other))
        if formats == {"coco"}:
            return _same_objects(self._entries(one), self._entries(other))
        return True

    def _lines(self, member: Member) -> list[_Object]:
        """Return the objects in a YOLO label file. Lines that are not numbers are left out."""
        dataset = self.parts[member.part].dataset
        path, names, found = dataset[member.row].label_path, dataset.class_names, list[_Object]()
        try:
            text = b"" if path is None else read_regular(path, LABELS)
        except OSError:
            return []
        for line in text.decode("utf-8-sig", "replace").splitlines():
            try:
                number, *values = [float(field) for field in line.split()]
                found.append(_Object(names[int(number)], values, SAME_BOX))
            except (ValueError, IndexError, OverflowError):
                continue
        return found

    def _entries(self, member: Member) -> list[_Object]:
        """Return the annotations of a COCO image. Keys without a value count as missing."""
        dataset = self.parts[member.part].dataset
        if member.part not in self._annotations:
            self._annotations[member.part] = _annotations_of(dataset.source.splits[dataset.split].annotations)
        record = dataset[member.row]
        names = dict(zip(dataset.class_keys, dataset.class_names, strict=True))
        tolerance = max(_LEAST_PIXELS, SAME_BOX * max(record.width or 0, record.height or 0))
        return [
            _Object(
                names.get(entry.get("category_id", ""), ""),
                {key: value for key, value in entry.items() if key not in _COVERED and value},
                tolerance,
            )
            for entry in self._annotations[member.part].get(record.id, ())
        ]


def same_boxes(ones: ClassBoxes, others: ClassBoxes) -> bool:
    """Return whether two lists contain the same boxes in any order. Corners may differ by rounding."""
    sides = [_by_class(ones), _by_class(others)]
    return sides[0].keys() == sides[1].keys() and all(_match(sides[0][name], sides[1][name]) for name in sides[0])


def _by_class(boxes: ClassBoxes) -> dict[str, list[npt.NDArray[np.float64]]]:
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    for name, box in boxes:
        found.setdefault(name, []).append(box)
    return found


def _match(ones: list[npt.NDArray[np.float64]], others: list[npt.NDArray[np.float64]]) -> bool:
    """Return whether each box has a box of its own in the other list that is near enough.

    Only the nearest boxes are tried, so that the time does not grow with the square of the number of boxes.
    """
    if len(ones) != len(others):
        return False
    # boxes with the same rounded corners are near enough, and zero has one sign
    keys = [[(np.round(box / SAME_BOX) + 0.0).tobytes() for box in side] for side in (ones, others)]
    equal = Counter(keys[0]) & Counter(keys[1])
    rest = [np.array(_unmatched(side, own, Counter(equal))) for side, own in zip((ones, others), keys, strict=True)]
    if not len(rest[0]):
        return True
    nearest = list(range(1, min(_NEAREST, len(rest[1])) + 1))
    gaps, places = cKDTree(rest[1]).query(rest[0], k=nearest, p=np.inf)
    used: set[int] = set()
    for own_gaps, own_places in zip(gaps.tolist(), places.tolist(), strict=True):
        free = (place for gap, place in zip(own_gaps, own_places, strict=True) if gap <= SAME_BOX and place not in used)
        if (place := next(free, None)) is None:
            return False
        used.add(place)
    return True


def _unmatched(items: Sequence[T], keys: Sequence[bytes | str], gone: Counter[Any]) -> list[T]:
    """Return the items whose keys are not in `gone`. A key is left out as many times as `gone` says."""
    left = []
    for item, key in zip(items, keys, strict=True):
        if gone[key] > 0:
            gone[key] -= 1
        else:
            left.append(item)
    return left


def _annotations_of(file: Path | None) -> dict[ImageId, list[dict[str, Any]]]:
    """Return the annotations in a COCO JSON, keyed by the id of the image."""
    content = {} if file is None else json.loads(read_text(file))
    found: dict[ImageId, list[dict[str, Any]]] = {}
    for entry in (content.get("annotations") or []) if isinstance(content, dict) else []:
        if isinstance(entry, dict) and isinstance(entry.get("image_id"), int | str):
            found.setdefault(entry["image_id"], []).append(entry)
    return found


def _same_objects(ones: Sequence[_Object], others: Sequence[_Object]) -> bool:
    """Return whether two lists contain the same objects in any order.

    Numbers of more than `_MOST_ROUNDED` objects must be exactly equal, because each object is compared with all others.
    """
    if len(ones) != len(others):
        return False
    keys = [[f"{one.name} {json.dumps(one.values, sort_keys=True)}" for one in side] for side in (ones, others)]
    equal = Counter(keys[0]) & Counter(keys[1])
    rest, left = (_unmatched(side, own, Counter(equal)) for side, own in zip((ones, others), keys, strict=True))
    if len(rest) > _MOST_ROUNDED:
        return False
    for one in rest:
        place = next((n for n, two in enumerate(left) if two.name == one.name and _alike(one, two)), None)
        if place is None:
            return False
        left.pop(place)
    return True


def _alike(one: _Object, other: _Object) -> bool:
    return _same_values(one.values, other.values, max(one.tolerance, other.tolerance))


def _same_values(one: Any, other: Any, tolerance: float) -> bool:
    """Return whether two values of JSON are equal. Numbers may differ by `tolerance`."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=0, abs_tol=tolerance)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_values, one, other, [tolerance] * len(one)))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same_values(one[key], other[key], tolerance) for key in one)
    return bool(one == other)
