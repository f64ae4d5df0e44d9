"""Compare the labels of identical images in two datasets: boxes, and polygons, keypoints and attributes."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from detreduce.dataset.formats.coco.ids import known_id
from detreduce.dataset.merging.parts import Part
from detreduce.dataset.records import ImageId
from detreduce.dataset.writing.json_text import read_text
from detreduce.machine.untrusted.regular_files import LABELS, read_regular

SAME_BOX = 1e-3
"""Two boxes are equal if their corners differ by at most this fraction of the image. Formats round differently."""
# the width of a box is the difference between two corners, so it may differ by twice as much
_SAME_PLACE = 2 * SAME_BOX
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
    """One labelled object.

    Attributes
    ----------
    name
        The name of its class.
    places
        Its coordinates, as nested lists. In equal objects, they differ by at most `tolerance`.
    others
        Its other values, which are exactly equal in equal objects.
    tolerance
        The largest difference between equal coordinates.
    """

    name: str
    places: list[Any]
    others: Any
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
        readers = {"yolo": self._lines, "coco": self._entries}
        objects_of = readers.get(formats.pop()) if len(formats) == 1 else None
        if objects_of is None:
            return True
        try:
            return _same_objects(objects_of(one), objects_of(other))
        except (OverflowError, RecursionError):
            # huge or deeply nested values can be read, but not compared
            return False

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
                # visibilities of keypoints are whole numbers, so the tolerance does not matter for them
                found.append(_Object(names[int(number)], values, None, _SAME_PLACE))
            except (ValueError, IndexError, OverflowError):
                continue
        return found

    def _entries(self, member: Member) -> list[_Object]:
        """Return the annotations of a COCO image. Annotations of unknown categories are left out, as in a merge."""
        dataset = self.parts[member.part].dataset
        if member.part not in self._annotations:
            file = dataset.source.splits[dataset.split].annotations
            self._annotations[member.part] = _annotations_of(file, dataset.row_of)
        record = dataset[member.row]
        names = dict(zip(dataset.class_keys, dataset.class_names, strict=True))
        tolerance = max(_LEAST_PIXELS, _SAME_PLACE * max(record.width or 0, record.height or 0))
        entries = self._annotations[member.part].get(record.id, ())
        keys = [known_id(entry.get("category_id"), names) for entry in entries]
        return [
            _coco_object(names[key], entry, tolerance) for key, entry in zip(keys, entries, strict=True) if key in names
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


def _annotations_of(file: Path | None, images: Container[ImageId]) -> dict[ImageId, list[dict[str, Any]]]:
    """Return the annotations in a COCO JSON, keyed by the id of the image. `images` are the ids of all images."""
    content = {} if file is None else json.loads(read_text(file))
    found: dict[ImageId, list[dict[str, Any]]] = {}
    for entry in (content.get("annotations") or []) if isinstance(content, dict) else []:
        if isinstance(entry, dict) and (image := known_id(entry.get("image_id"), images)) is not None:
            found.setdefault(image, []).append(entry)
    return found


def _coco_object(name: str, entry: Mapping[str, Any], tolerance: float) -> _Object:
    """Return the object of an annotation. Keys without a value count as missing."""
    others = {key: value for key, value in entry.items() if key not in _COVERED and value}
    # the number after each keypoint is its visibility, and a mask that is not a polygon has no coordinates
    keys = [key for key in ("bbox", "segmentation", "keypoints") if isinstance(others.get(key), list)]
    places = [others.pop(key) for key in keys]
    if "keypoints" in keys:
        points = places.pop()
        places += [points[0::3], points[1::3]]
        others["visibility"] = points[2::3]
    return _Object(name, places, [keys, others], tolerance)


def _same_objects(ones: Sequence[_Object], others: Sequence[_Object]) -> bool:
    """Return whether two lists contain the same objects in any order.

    Numbers of more than `_MOST_ROUNDED` objects must be exactly equal, because each object is compared with all others.
    """
    if len(ones) != len(others):
        return False
    keys = [[json.dumps(one[:3], sort_keys=True) for one in side] for side in (ones, others)]
    equal = Counter(keys[0]) & Counter(keys[1])
    rest, left = (_unmatched(side, own, Counter(equal)) for side, own in zip((ones, others), keys, strict=True))
    if len(rest) > _MOST_ROUNDED:
        return False
    for one in rest:
        place = next((n for n, two in enumerate(left) if _alike(one, two)), None)
        if place is None:
            return False
        left.pop(place)
    return True


def _alike(one: _Object, other: _Object) -> bool:
    exact = one.name == other.name and one.others == other.others
    return exact and _near(one.places, other.places, max(one.tolerance, other.tolerance))


def _near(one: Any, other: Any, tolerance: float) -> bool:
    """Return whether two nested lists are equal. Their numbers may differ by `tolerance`."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=0, abs_tol=tolerance)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other, [tolerance] * len(one)))
    return bool(one == other)
