"""Choose the images of a merged dataset: keep identical images only once, and rename images whose name is in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.yolo.image_places import assign_places
from detreduce.dataset.health.identical_files import identical_files
from detreduce.dataset.merging.parts import Part
from detreduce.dataset.merging.same_labels import LabelComparison, Member, same_boxes
from detreduce.dataset.records import ImageRecord
from detreduce.dataset.writing.distinct_paths import distinct_paths
from detreduce.display.numbers import counted


@dataclass(frozen=True, slots=True)
class Repeated:
    """An image that two datasets contain, byte for byte. Only the file of the earlier dataset is written.

    Attributes
    ----------
    kept, dropped
        The file in the earlier dataset, and the file in the later dataset.
    split, dropped_split
        The split of `kept`, and the split of `dropped`. The merged dataset has the image in `split`.
    boxes, dropped_boxes
        The number of boxes of `kept`, and the number of boxes of `dropped`.
    conflict
        Whether the labels of the two files differ: boxes, or polygons, keypoints and attributes of the same format.
    labels_of
        The file whose labels are used. It belongs to the last dataset that has boxes for the image.
    """

    kept: Path
    dropped: Path
    split: str
    dropped_split: str
    boxes: int
    dropped_boxes: int
    conflict: bool
    labels_of: Path


@dataclass(frozen=True, slots=True)
class Renamed:
    """An image that gets another name, because the split already contains an image with its name."""

    image: Path
    split: str
    new_name: str


@dataclass(frozen=True)
class Plan:
    """Which images a merged dataset contains, and which labels they get.

    Attributes
    ----------
    parts
        All splits of the datasets.
    shown
        The images to write, in the order of the datasets, keyed by split.
    labels_from
        Maps an image to the identical image of another dataset whose labels are written. Images that keep their own
        labels are not listed.
    repeated
        The images that are not written because an earlier dataset contains them.
    yolo
        Whether the output is YOLO.
    """

    parts: Sequence[Part]
    shown: Mapping[str, Sequence[Member]]
    labels_from: Mapping[Member, Member]
    repeated: Sequence[Repeated]
    yolo: bool

    def record(self, member: Member) -> ImageRecord:
        """Return the record of an image."""
        return self.parts[member.part].dataset[member.row]

    def labels(self, member: Member) -> Member:
        """Return the image whose labels are written for an image. It can be the image itself."""
        return self.labels_from.get(member, member)

    @cached_property
    def places(self) -> dict[str, list[PurePosixPath]]:
        """The path of each image in the merged dataset, below ``images/<split>``, as a list for each split."""
        assign = assign_places if self.yolo else _free_places
        return {
            split: assign(split, [self.record(member) for member in members]) for split, members in self.shown.items()
        }

    @property
    def renamed(self) -> list[Renamed]:
        """The images that get another name."""
        found = []
        for split, members in self.shown.items():
            folder = PurePosixPath("images", split)
            for member, place in zip(members, self.places[split], strict=True):
                record = self.record(member)
                if place != folder / record.name:
                    found.append(Renamed(record.path, split, str(place.relative_to(folder))))
        return found


def _free_places(split: str, records: Sequence[ImageRecord]) -> list[PurePosixPath]:
    """Return the path of each image in the output, below ``images/<split>``.

    A number is added to a name that is in use.
    """
    return distinct_paths(PurePosixPath("images", split, record.name) for record in records)


def make_plan(parts: Sequence[Part], *, yolo: bool) -> Plan:
    """Decide which images to write, and with which labels.

    If several datasets contain the same image, byte for byte, it is written only once. Its name and split come from the
    first of these datasets. Its labels come from the last of these datasets that has boxes for the image. Copies
    within a single dataset stay.
    """
    members = [Member(number, row) for number, part in enumerate(parts) for row in range(len(part.dataset))]
    paths = [parts[member.part].dataset[member.row].path for member in members]
    dropped: set[Member] = set()
    labels_from: dict[Member, Member] = {}
    repeated: list[Repeated] = []
    comparison = LabelComparison(parts)
    for group in identical_files(paths):
        alike = [members[place] for place in group]
        by_dataset: dict[int, list[Member]] = {}
        for member in alike:
            by_dataset.setdefault(parts[member.part].number, []).append(member)
        if len(by_dataset) < 2:
            continue
        first, *others = (by_dataset[number] for number in sorted(by_dataset))
        boxes = {member: comparison.boxes_of(member) for member in alike}
        later = [member for own in others for member in own]
        with_boxes = [member for member in (first[0], *later) if boxes[member]]
        source = with_boxes[-1] if with_boxes else first[0]
        if source != first[0]:
            # even if the boxes are equal, because polygons, keypoints or attributes may differ
            labels_from.update(dict.fromkeys(first, source))
        dropped.update(later)
        for member in later:
            repeated.append(
                Repeated(
                    _path(parts, first[0]),
                    _path(parts, member),
                    parts[first[0].part].split,
                    parts[member.part].split,
                    len(boxes[first[0]]),
                    len(boxes[member]),
                    not (same_boxes(boxes[first[0]], boxes[member]) and comparison.same_details(first[0], member)),
                    _path(parts, source),
                )
            )
    shown: dict[str, list[Member]] = {}
    for member in members:
        own = shown.setdefault(parts[member.part].split, [])
        if member not in dropped:
            own.append(member)
    return Plan(parts, {split: own for split, own in shown.items() if own}, labels_from, repeated, yolo)


def _path(parts: Sequence[Part], member: Member) -> Path:
    return parts[member.part].dataset[member.row].path


def check_strict(renamed: Iterable[Renamed], repeated: Iterable[Repeated]) -> list[str]:
    """Return a sentence for each reason why the option `strict` forbids the merge."""
    why = []
    names, conflicts = list(renamed), [one for one in repeated if one.conflict]
    if names:
        why.append(
            f"{counted(len(names), 'image')} would be renamed (the first: {names[0].image} to {names[0].new_name})"
        )
    if conflicts:
        one = conflicts[0]
        pairs = counted(len(conflicts), "pair")
        why.append(f"{pairs} of identical images with different labels (the first: {one.kept} and {one.dropped})")
    return why
