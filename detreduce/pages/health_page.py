"""The page ``health.html``: the health of a dataset in words, charts and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.arrays.class_counts import boxes_of_classes
from detreduce.dataset.health.advice import Advice
from detreduce.dataset.health.counts import DatasetSummary
from detreduce.dataset.health.finding import VERDICTS, Finding, in_words
from detreduce.dataset.health.leaks import Leaks
from detreduce.dataset.health.statistics import (
    PER_IMAGE,
    SIDES,
    ClassCounts,
    Positions,
    class_counts,
    per_image_counts,
    positions,
    size_counts,
    together,
)
from detreduce.dataset.paths.output_name import dataset_name
from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.display.progress import step
from detreduce.duplicates.health import ImageCheck
from detreduce.duplicates.result import pair_to_dict
from detreduce.duplicates.split_search import LeakedImage
from detreduce.machine.files import write_atomically
from detreduce.pages.class_colours import looks_of, name_classes_apart
from detreduce.pages.environment import make_environment, part
from detreduce.pages.own_file import HEALTH_PAGE, check_target, dataset_mark, page_of_dataset
from detreduce.pages.pictures import Album
from detreduce.pages.selection.duplicate_pairs import pair_in_words

PAIRS, PROBLEMS, CLASSES, FOLDED = 12, 100, 20, 400
"""The maximum number of pairs of each kind, of problems, of classes shown at first, and of classes in total."""
TOGETHER, MAPS = 12, 7
"""The maximum number of classes in the table of classes that occur together, and of maps for single classes."""
LEVELS = 8


@dataclass(frozen=True)
class HealthSource:
    """What the page is made from.

    Attributes
    ----------
    summary, findings, leaks
        The summary of one split, the findings, and the images that occur in several splits.
    splits
        All splits that could be loaded, including the split of the summary.
    images
        What a check of the decoded images found. None if the images were not opened.
    pictures
        Whether to show pictures of the dataset. Set it to False for confidential data.
    advice
        Results that were found for similar data. If None, the page has no such section.
    """

    summary: DatasetSummary
    findings: Sequence[Finding]
    leaks: Leaks
    splits: Mapping[str, DetectionDataset]
    images: ImageCheck | None = None
    pictures: bool = True
    advice: Advice | None = None

    @property
    def split(self) -> DetectionDataset:
        """The split that the summary describes."""
        return self.splits[self.summary.split]


@dataclass(frozen=True, slots=True)
class PictureOf:
    """A picture on the page: the album that contains it, the image's row, and a note."""

    album: Album
    row: int
    note: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of images under a heading. `found` counts all pairs, but only the first ones are shown."""

    title: str
    about: str
    found: int
    shown: tuple[tuple[PictureOf, PictureOf], ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """A histogram that is shown as a table. Each row has a name, a count, and the length of its bar in percent."""

    title: str
    counted: str
    rows: tuple[tuple[str, int, float], ...]


def write_health_page(source: HealthSource, output: str | Path | None = None) -> Path:
    """Write the page and return its path. If `output` is a folder, the file ``health.html`` is written there.

    By default, the file is ``health.html`` or, if this is the page of another dataset, ``health-2.html``.

    Raise InputError if the file exists but is not a page of detreduce, and DetreduceError if it cannot be written.
    """
    target = page_of_dataset(source.summary.path) if output is None else check_target(Path(output), HEALTH_PAGE)
    page = health_page(source)
    write_atomically(target, lambda handle: handle.write(page))
    return target


def health_page(source: HealthSource) -> bytes:
    """Return the page as a single HTML file that needs neither a network nor other files."""
    source = replace(source, splits={name: name_classes_apart(one) for name, one in source.splits.items()})
    summary, split = source.summary, source.split
    with step("making the page"):
        looks = looks_of(split.class_names, boxes_of_classes(split.sparse_class_counts)) if split.labelled else None
        albums = _Albums(source)
        pairs = [one for one in (*_leaks(source, albums), *_duplicates(source, albums)) if one.found]
        classes = class_counts(source.splits) if split.labelled else []
        names, matrix = together(split, TOGETHER) if split.labelled else ([], np.zeros((0, 0), np.int64))
        maps = positions(split, MAPS) if split.labelled else []
    text = (
        make_environment(looks)
        .get_template("health_page.html.j2")
        .render(
            name=dataset_name(summary.path),
            mark=dataset_mark(summary.path).decode(),
            summary=summary,
            heading=in_words(source.findings).capitalize(),
            findings=source.findings,
            verdicts=VERDICTS,
            looked=source.images is not None,
            advice=source.advice.sentences if source.advice is not None else (),
            pairs=pairs,
            albums=list(albums.made.values()),
            looks=looks,
            classes=_class_rows(classes),
            classes_left_out=max(0, len(classes) - FOLDED),
            classes_shown=CLASSES,
            splits=list(source.splits),
            histograms=list(_histograms(split)) if split.labelled else [],
            together=_together_rows(names, matrix),
            maps=[_map(one) for one in maps],
            cells=len(maps[0].cells) if maps else 0,
            problems=summary.problems[:PROBLEMS],
            health_style=part("detreduce.pages", "health.css"),
        )
    )
    return text.encode("utf-8", "replace")


class _Albums:
    """The albums of the splits. Each one is created when its first picture is needed."""

    def __init__(self, source: HealthSource) -> None:
        self.source = source
        self.made: dict[str, Album] = {}

    def picture(self, split: str, image: ImageId, note: str) -> PictureOf | None:
        """Return the picture of an image, or None if the split of the image was not loaded."""
        data = self.source.splits.get(split)
        if data is None or image not in data.row_of:
            return None
        if split not in self.made:
            self.made[split] = Album(data, f"h{len(self.made)}-", *([] if self.source.pictures else [0]))
        row = data.row_of[image]
        self.made[split].add([row])
        return PictureOf(self.made[split], row, note)

    def pairs(
        self, wanted: Sequence[tuple[str, ImageId, str, ImageId, str]]
    ) -> tuple[tuple[PictureOf, PictureOf], ...]:
        """Return the two pictures of each wanted pair.

        A wanted pair is a tuple (split, image, other split, other image, words on the similarity). A pair is left out
        if one of its splits was not loaded.
        """
        found = []
        for split, image, other_split, other, words in wanted[:PAIRS]:
            left, right = self.picture(other_split, other, other_split), self.picture(split, image, f"{split}, {words}")
            if left is not None and right is not None:
                found.append((left, right))
        return tuple(found)


def _leaks(source: HealthSource, albums: _Albums) -> Iterator[Pairs]:
    """Yield the pairs of images that occur in two splits.

    If the images were opened, these pairs were found by comparing pixels; otherwise by comparing files.
    """
    title = "Images in two splits"
    if source.images is not None:
        leaked: Sequence[LeakedImage] = sorted(
            source.images.leakage.leaked, key=lambda item: item.other_split != "train"
        )
        wanted = [
            (item.split, item.image, item.other_split, item.other, pair_in_words(_words(item))) for item in leaked
        ]
        yield Pairs(
            title,
            "Equal or nearly equal pixels, also turned or mirrored.",
            len(wanted),
            albums.pairs(wanted),
        )
        return
    wanted = [(leak.split, leak.image, leak.other_split, leak.other, leak.how) for leak in source.leaks.pairs]
    yield Pairs(title, "Found by comparing files. Pixels were not compared.", len(wanted), albums.pairs(wanted))


def _duplicates(source: HealthSource, albums: _Albums) -> Iterator[Pairs]:
    """Yield the pairs of duplicates within the split."""
    if source.images is None:
        return
    split = source.images.split
    for title, exact in ((f"Equal images in {split}", True), (f"Near-duplicates in {split}", False)):
        pairs = [pair for pair in source.images.duplicates.pairs if pair.exact is exact]
        wanted = [(split, pair.copy, split, pair.kept, pair_in_words(pair_to_dict(pair))) for pair in pairs]
        yield Pairs(title, "The left image would be kept.", len(wanted), albums.pairs(wanted))


def _words(item: LeakedImage) -> dict[str, Any]:
    return {"exact": item.exact, "similarity": item.similarity, "transformation": item.transformation}


def _class_rows(every: Sequence[ClassCounts]) -> list[dict[str, Any]]:
    """Return the rows of the table of classes, for the first `FOLDED` classes (see `_class_row`)."""
    splits = list(every[0].boxes) if every else []
    totals = {split: sum(row.boxes[split] for row in every) for split in splits}
    longest = {split: max(row.boxes[split] for row in every) for split in splits}
    return [_class_row(one, totals, longest) for one in every[:FOLDED]]


def _class_row(one: ClassCounts, totals: Mapping[str, int], longest: Mapping[str, int]) -> dict[str, Any]:
    """Return the table row of a class: its name, its numbers of images and boxes, and a bar for each split.

    A bar has the number of boxes, their share of all boxes of the split, and the length of the bar in percent. `totals`
    is the number of boxes in each split. `longest` is the number of boxes of the most common class in each split.
    """
    bars = [
        (split, boxes, 100 * boxes / max(totals[split], 1), 100 * boxes / max(longest[split], 1))
        for split, boxes in one.boxes.items()
    ]
    absent = [split for split, boxes in one.boxes.items() if not boxes and totals[split]]
    return {
        "name": one.name,
        "images": one.all_images,
        "boxes": one.all_boxes,
        "bars": bars,
        "absent": absent,
    }


def _histograms(split: DetectionDataset) -> Iterator[Bars]:
    """Yield a histogram of the box sizes and a histogram of the number of boxes per image."""
    sizes = size_counts(split)
    if sum(sizes):
        names = [f"{low:.2%} to {high:.2%}".replace(".00%", "%") for low, high in pairwise(SIDES)]
        yield _bars("Box size, as a share of the image's side", "boxes", names, sizes)
    ends = [*(after - 1 for after in PER_IMAGE[1:]), None]
    names = [
        f"{first} or more" if last is None else f"{first}" if first == last else f"{first} to {last}"
        for first, last in zip(PER_IMAGE, ends, strict=True)
    ]
    yield _bars("Boxes in an image", "images", names, per_image_counts(split))


def _bars(title: str, counted: str, names: Sequence[str], counts: Sequence[int]) -> Bars:
    longest = max(1, *counts)
    rows = tuple((name, count, 100 * count / longest) for name, count in zip(names, counts, strict=True))
    return Bars(title, counted, rows)


def _together_rows(names: Sequence[str], matrix: Any) -> list[tuple[str, list[tuple[int, float]]]]:
    """Return one row for each class: its name, and a cell for each class.

    A cell contains the number of images that have both classes. This number is also given as a share of the images that
    have the class of the row.
    """
    return [
        (name, [(int(count), float(count) / max(1, int(matrix[row, row]))) for count in matrix[row]])
        for row, name in enumerate(names)
    ]


def _map(one: Positions) -> dict[str, Any]:
    """Return a map of box positions as SVG paths.

    The cells that many boxes cover are more opaque. Cells with the same opacity share one path.
    """
    highest = max(1, int(one.cells.max()))
    levels = np.ceil(LEVELS * one.cells / highest).astype(np.int64)
    paths = []
    for level in range(1, LEVELS + 1):
        rows, columns = np.nonzero(levels == level)
        path = "".join(f"M{x} {y}h1v1h-1z" for y, x in zip(rows.tolist(), columns.tolist(), strict=True))
        if path:
            paths.append((round(level / LEVELS, 3), path))
    return {"name": one.name, "boxes": one.boxes, "centre": one.centre, "paths": paths}
