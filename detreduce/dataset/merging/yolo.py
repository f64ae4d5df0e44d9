"""Write merged datasets as YOLO. In the lines of YOLO labels, only the class number is changed."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from detreduce.dataset.formats.yolo.convert import ConvertCounts, label_texts, make_data_yaml
from detreduce.dataset.formats.yolo.exports import read_yolo_description
from detreduce.dataset.formats.yolo.masks import masks_folder
from detreduce.dataset.formats.yolo.mirror import label_place
from detreduce.dataset.joined_classes import join_classes
from detreduce.dataset.merging.images import Member, Plan
from detreduce.dataset.merging.parts import Part
from detreduce.dataset.picture_sizes import with_picture_sizes
from detreduce.dataset.reading.description import SPLIT_KEYS
from detreduce.dataset.splits import in_order
from detreduce.dataset.suggested_command import inspect_command
from detreduce.dataset.writing.dataset_yaml import DATA_YAML
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import LABELS, read_regular

_OWN_KEYS = frozenset({*SPLIT_KEYS, "path", "nc", "names", "download", "get", "format", "masks_dir"})
_POSE_KEYS = ("kpt_shape", "flip_idx", "kpt_names")


def write_merged_yolo(plan: Plan, placer: Placer) -> None:
    """Write the images, the labels and the data.yaml of merged datasets.

    The labels of YOLO datasets keep their lines (polygons, oriented boxes, keypoints), with the class numbers of the
    merged dataset. The labels of any other dataset are converted to boxes. Raise InputError if the keypoints of the
    datasets differ, or if the classes cannot be matched by name.
    """
    others = other_keys(plan.parts)
    classes = join_classes({part.name: part.dataset for part in plan.parts})
    if classes.spelling_notice:
        warn_about_subset(classes.spelling_notice)
    labels = _Labels(plan, classes.numbers)
    splits = in_order(plan.shown)
    with progress("Writing images", sum(map(len, splits.values())), "images") as advance:
        for split, members in splits.items():
            for member, place in zip(members, plan.places[split], strict=True):
                placer.image(plan.record(member).path, place)
                content = labels.of(plan.labels(member))
                if content is not None:
                    placer.write(label_place(place), content)
                advance()
    labels.counts.warn()
    own = next(iter(splits))
    header = "several datasets, merged by detreduce"
    placer.write(DATA_YAML, make_data_yaml(header, own, list(splits), classes.names, others).encode("utf-8"))


class _Labels:
    """The content of the label file of each image.

    Labels in other formats than YOLO are converted one part at a time.
    """

    def __init__(self, plan: Plan, numbers: Mapping[str, Sequence[int]]) -> None:
        self.plan, self.numbers = plan, numbers
        self.counts = ConvertCounts()
        self._converted: dict[int, dict[int, bytes]] = {}

    def of(self, member: Member) -> bytes | None:
        """Return the content of the label file of an image, or None if it has no label file."""
        part = self.plan.parts[member.part]
        numbers = self.numbers[part.name]
        if part.dataset.source.format == "yolo":
            path = part.dataset[member.row].label_path
            if path is None or path not in part.dataset.loaded:
                return None
            return renumbered(read_regular(path, LABELS), numbers)
        if member.part not in self._converted:
            self._converted[member.part] = self._convert(member.part, part, numbers)
        return self._converted[member.part][member.row]

    def _convert(self, number: int, part: Part, numbers: Sequence[int]) -> dict[int, bytes]:
        """Convert the labels of a part to YOLO. Return the content of each label file, keyed by the row of its image.

        Images whose labels are not written are left out.
        """
        shown = (member for members in self.plan.shown.values() for member in members)
        rows = sorted({labels.row for labels in map(self.plan.labels, shown) if labels.part == number})
        few = replace(part.dataset, records=tuple(part.dataset[row] for row in rows))
        few, conflicts = with_picture_sizes(few)
        for notice in conflicts.notices(inspect_command(part.dataset)):
            warn_about_subset(notice)
        texts = label_texts(few, numbers, self.counts)
        return {row: text.encode("ascii") for row, text in zip(rows, texts, strict=True)}


def renumbered(data: bytes, numbers: Sequence[int]) -> bytes:
    """Return the content of a label file with new class numbers: class i becomes ``numbers[i]``.

    Everything else stays the same byte for byte. A line with an unknown class stays as it is.
    """
    if list(numbers) == list(range(len(numbers))):
        return data
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    return mark + b"".join(_renumbered(line, numbers) for line in data.removeprefix(mark).splitlines(keepends=True))


def _renumbered(line: bytes, numbers: Sequence[int]) -> bytes:
    fields = line.split(maxsplit=1)
    try:
        value = float(fields[0]) if fields else -1.0
    except ValueError:
        return line
    if not 0 <= value < len(numbers) or not value.is_integer():
        return line
    start = line.index(fields[0])
    return line[:start] + str(numbers[int(value)]).encode() + line[start + len(fields[0]) :]


def other_keys(parts: Sequence[Part]) -> dict[str, Any]:
    """Return the remaining keys and values of the data.yaml files: those that describe neither classes nor paths.

    If several datasets have the same key, the value of the first dataset is used. A warning is issued if the values
    differ, or if a dataset has masks, because masks are not merged. Raise InputError if the keypoints differ.
    """
    found: dict[str, Any] = {}
    datasets = list({part.number: part.dataset for part in parts}.values())
    shapes = {}
    for dataset in datasets:
        source = dataset.source
        values: Mapping[Any, Any] = {}
        if source.format == "yolo":
            values = read_yolo_description(source.path).values
            if masks_folder(values, source.root) is not None:
                warn_about_subset(f"{source.typed}: the masks for segmentation are not merged, only boxes and labels.")
        shapes[str(source.typed)] = values.get("kpt_shape")
        for key, value in values.items():
            if key in _OWN_KEYS or not isinstance(key, str):
                continue
            if key in found and found[key] != value and key not in _POSE_KEYS:
                warn_about_subset(f"{source.typed}: {key!r} differs from the first dataset's, whose value is written.")
            found.setdefault(key, value)
    if len({str(shape) for shape in shapes.values()}) > 1:
        shown = ", ".join(f"{path}: {shape or 'none'}" for path, shape in shapes.items())
        raise InputError(f"The keypoints of the datasets differ (kpt_shape: {shown}), so they cannot be merged.")
    return found
