"""Parse a YOLO label file. Polygons, oriented boxes and boxes with keypoints become axis-aligned boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

from detreduce.dataset.formats.yolo.trainer_rules import why_refused
from detreduce.dataset.reading.box_problems import DROPPED, KEPT, bad_extent, duplicate, outside_unit
from detreduce.dataset.reading.text_lines import is_utf16

Box = tuple[float, float, float, float]

_LINE_LEFT_OUT = f"the line is left out, {DROPPED}"


@dataclass(slots=True)
class Labels:
    """The content of one label file.

    Attributes
    ----------
    boxes
        The boxes (cx, cy, w, h) as fractions of the image, in the order of the lines.
    classes
        The class number of each box.
    findings
        The faults as (line number, description). Lines are counted from 1; None means the whole file.
    refused
        Whether ultralytics leaves out the image of this file (see `why_refused`).
    """

    boxes: list[Box] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    findings: list[tuple[int | None, str]] = field(default_factory=list)
    refused: bool = False


def parse_labels(data: bytes, n_classes: int, kpt_shape: tuple[int, int] | None = None) -> Labels:
    """Parse a label file, and return its boxes and faults.

    A line is a box ``class cx cy w h``, a polygon ``class x1 y1 x2 y2 ...``, or a box with keypoints. Lines that cannot
    be used are left out and listed. Boxes that lie outside the image, have no area or are repeated are kept, but listed
    too. `kpt_shape` is (number of keypoints, values per keypoint), as in data.yaml.
    """
    labels = Labels()
    text = _decode(data, labels)
    seen: dict[tuple[float, ...], int] = {}
    shapes = set()
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        try:
            row = tuple(map(float, fields))
        except ValueError:
            labels.findings.append((number, _describe_text(fields)))
            continue
        found = _plain_box(row, n_classes) or _check_row(row, n_classes, kpt_shape, (number, line), labels)
        if found is None:
            continue
        shapes.add(len(row) == 5)
        if row in seen:
            labels.findings.append((number, duplicate(f"line {seen[row]}", removed_by_ultralytics=True)))
        else:
            seen[row] = number
        labels.boxes.append(found)
        labels.classes.append(int(row[0]))
    if len(shapes) == 2:
        kinds = "plain boxes and boxes with keypoints" if kpt_shape else "boxes and polygons"
        labels.findings.append((None, f"mixes {kinds}; {DROPPED}"))
    if labels.findings:
        _judge_file(data, n_classes, kpt_shape, labels)
    return labels


def _plain_box(row: tuple[float, ...], n_classes: int) -> Box | None:
    """Return the box in a line without faults, or None for any other line.

    This function is meant to be fast, because a dataset can have millions of lines.
    """
    if len(row) != 5:
        return None
    number, x, y, width, height = row
    if (
        0.0 <= number < n_classes
        and number.is_integer()
        and 0.0 <= x <= 1.0
        and 0.0 <= y <= 1.0
        and 0.0 < width <= 1.0
        and 0.0 < height <= 1.0
    ):
        return x, y, width, height
    return None


def _check_row(
    row: tuple[float, ...], n_classes: int, kpt_shape: tuple[int, int] | None, line: tuple[int, str], labels: Labels
) -> Box | None:
    """Return the box in a line, or None if the line is not usable. The faults of the line are added to the findings."""
    number, text = line
    if not isfinite(sum(row)):
        labels.findings.append((number, f"not a finite number in {text.strip()[:60]!r}; {_LINE_LEFT_OUT}"))
        return None
    what = _check_class(row[0], n_classes)
    if what:
        labels.findings.append((number, what))
        return None
    return _read_box(row, kpt_shape, number, labels)


def _judge_file(data: bytes, n_classes: int, kpt_shape: tuple[int, int] | None, labels: Labels) -> None:
    """Set `refused` for a label file with findings, and make the findings agree with it.

    For example, if ultralytics uses the image after all, no finding may say that the image is left out.
    """
    why = why_refused(data, n_classes, kpt_shape)
    labels.refused = why is not None
    if why is None:
        # ultralytics judges a file as a whole, so it may accept a line in one file and not in another
        labels.findings = [(line, what.replace(DROPPED, KEPT)) for line, what in labels.findings]
    elif not any(DROPPED in what for _, what in labels.findings):
        labels.findings.append((None, f"{why}; {DROPPED}"))


def _decode(data: bytes, labels: Labels) -> str:
    """Return the text of a label file. If it is not UTF-8, add a finding."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        encoding = "utf-16" if is_utf16(data) else "latin-1"
    labels.findings.append((None, f"not UTF-8: read as {encoding}; {DROPPED}"))
    return data.decode(encoding, errors="replace")


def _describe_text(fields: Sequence[str]) -> str:
    """Return a description of the first field in a line that is not a number."""
    for value in fields:
        try:
            float(value)
        except ValueError:
            return f"{value[:40]!r} is not a number; {_LINE_LEFT_OUT}"
    raise AssertionError("called for a line of numbers")


def _check_class(value: float, n_classes: int) -> str | None:
    """Return a description of what is wrong with a class number, or None."""
    if 0 <= value < n_classes and value.is_integer():
        return None
    if not value.is_integer():
        return f"class {value:g} is not a whole number; {_LINE_LEFT_OUT}"
    return f"class {value:g} is outside 0-{n_classes - 1}; {_LINE_LEFT_OUT}"


def _read_box(row: tuple[float, ...], kpt_shape: tuple[int, int] | None, number: int, labels: Labels) -> Box | None:
    """Return the axis-aligned box in a line with a valid class. If it is not usable, add a finding and return None."""
    count = len(row)
    coordinates: Sequence[float]
    checked: Sequence[float]
    if count == 5:
        box: Box = (row[1], row[2], row[3], row[4])
        coordinates = checked = box
    elif kpt_shape is not None and count == 5 + kpt_shape[0] * kpt_shape[1]:
        box = (row[1], row[2], row[3], row[4])
        step = kpt_shape[1]
        coordinates = checked = (*box, *row[5::step], *row[6::step])
    elif kpt_shape is None and count >= 7 and count % 2 == 1:
        coordinates = row[1:]
        checked = box = _bound_points(row[1::2], row[2::2])
    else:
        labels.findings.append((number, _describe_count(count, kpt_shape)))
        return None
    extent = bad_extent(box[2], box[3])
    if extent is not None:
        labels.findings.append((number, extent[0] if extent[1] else f"{extent[0]}, {DROPPED}"))
        if not extent[1]:
            return None
    outside = outside_unit(coordinates, checked)
    if outside is not None:
        labels.findings.append((number, outside))
    return box


def _bound_points(xs: Sequence[float], ys: Sequence[float]) -> Box:
    """Return the box (cx, cy, w, h) around some points."""
    x1, x2, y1, y2 = min(xs), max(xs), min(ys), max(ys)
    return ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)


def _describe_count(count: int, kpt_shape: tuple[int, int] | None) -> str:
    """Describe a line with a wrong number of fields."""
    if kpt_shape is not None:
        wanted = f"5 or {5 + kpt_shape[0] * kpt_shape[1]} (kpt_shape {list(kpt_shape)})"
    else:
        wanted = "5 (box) or an odd number from 7 (polygon)"
    return f"{count} fields, expected {wanted}; {_LINE_LEFT_OUT}"
