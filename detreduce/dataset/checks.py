"""Count what is in a dataset, and find images that cannot be read."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.dataset.box_sizes import Floats, count_sizes, inside_sides, relative_sizes
from detreduce.dataset.formats.registry import get_format
from detreduce.dataset.jpeg import damaged_jpegs, lacks_end_marker
from detreduce.dataset.load import load_split
from detreduce.dataset.records import BoxFormat, DetectionDataset, ImageRecord, Problem, Source
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.machine.processors import processors

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# ultralytics skips images with a shorter side
SMALLEST_SIDE = 10


@dataclass(frozen=True)
class ClassSummary:
    """One class: its key in the files, its name, and its numbers of images and boxes."""

    key: int | str
    name: str
    images: int
    boxes: int


@dataclass(frozen=True)
class DatasetSummary:
    """What `detreduce inspect` shows about one split.

    Attributes
    ----------
    boxes, crowd
        Number of boxes without crowd regions; number of crowd regions.
    background
        Images without boxes (crowd regions do not count), with an empty label file or none.
    sizes
        Number of small, medium and large boxes by COCO's bounds, 32 and 96 pixels squared. Only the part of a box
        inside its image counts, if an annotation gives the image's size. None where boxes are fractions (YOLO).
    side_quantiles
        Quantile -> sqrt(box area / image area) of the part inside the image, over the boxes whose image size is known;
        empty without boxes.
    splits
        Number of images that each split lists.
    """

    path: Path
    format: str
    split: str
    labelled: bool
    images: int
    boxes: int
    crowd: int
    background: int
    classes: tuple[ClassSummary, ...]
    sizes: Mapping[str, int] | None
    side_quantiles: Mapping[float, float]
    splits: Mapping[str, int]
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the same facts in types that JSON has."""
        plain = {key: value for key, value in vars(self).items() if key not in ("classes", "problems")}
        return {
            **plain,
            "path": str(self.path),
            "classes": [asdict(entry) for entry in self.classes],
            "sizes": dict(self.sizes) if self.sizes is not None else None,
            "side_quantiles": {str(q): value for q, value in self.side_quantiles.items()},
            "splits": dict(self.splits),
            "problems": [
                {"file": str(problem.file), "line": problem.line, "what": problem.what} for problem in self.problems
            ],
        }


def summarise(dataset: DetectionDataset) -> DatasetSummary:
    """Count what is in a dataset. No image is opened; the other splits are loaded for their problems."""
    counts = dataset.class_counts
    images, boxes = (counts > 0).sum(axis=0), counts.sum(axis=0)
    return DatasetSummary(
        path=dataset.source.path,
        format=dataset.source.format,
        split=dataset.split,
        labelled=dataset.labelled,
        images=len(dataset),
        boxes=int(counts.sum()),
        crowd=int(dataset.box_crowd.sum()),
        background=int((~counts.any(axis=1)).sum()),
        classes=tuple(
            ClassSummary(key, name, int(images[number]), int(boxes[number]))
            for number, (key, name) in enumerate(zip(dataset.class_keys, dataset.class_names, strict=True))
        ),
        sizes=_count_box_sizes(dataset),
        side_quantiles=_measure_quantiles(dataset),
        splits=count_splits(dataset.source, {dataset.split: len(dataset)}),
        problems=tuple(
            dict.fromkeys(
                [
                    *dataset.problems,
                    *_find_repeated_names(dataset),
                    *_find_emptiness(dataset),
                    *problems_of_other_splits(dataset),
                ]
            )
        ),
    )


def problems_of_other_splits(dataset: DetectionDataset) -> tuple[Problem, ...]:
    """Return the problems of the other splits of the source; loads their annotations, opens no image."""
    problems: list[Problem] = []
    for split in dataset.source.splits:
        if split == dataset.split:
            continue
        try:
            other = load_split(dataset.source, split)
        except InputError as error:
            problems.append(Problem(dataset.source.path, f"the {split} split cannot be loaded: {error}"))
        else:
            problems += [*other.problems, *_find_emptiness(other)]
    return tuple(dict.fromkeys(problem for problem in problems if problem not in set(dataset.problems)))


def _find_emptiness(dataset: DetectionDataset) -> list[Problem]:
    place = dataset.source.splits.get(dataset.split)
    file = place.annotations if place is not None and place.annotations is not None else dataset.source.path
    return [] if len(dataset) else [Problem(file, f"the {dataset.split} split has no images")]


def _find_repeated_names(dataset: DetectionDataset) -> list[Problem]:
    keys_of: dict[str, list[str]] = {}
    for key, name in zip(dataset.class_keys, dataset.class_names, strict=True):
        keys_of.setdefault(name, []).append(str(key))
    return [
        Problem(dataset.source.path, f"classes {', '.join(keys)} share the name {name!r}; they stay separate")
        for name, keys in keys_of.items()
        if len(keys) > 1
    ]


def count_splits(source: Source, known: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the number of images of each split; `known` gives those that are counted already."""
    count = get_format(source.format).count_images
    counted = known or {}
    return {split: counted[split] if split in counted else count(source, split) for split in source.splits}


def _count_box_sizes(dataset: DetectionDataset) -> dict[str, int] | None:
    if dataset.box_format == "cxcywhn":
        return None
    return count_sizes(inside_sides(*_stack_boxes(dataset)))


def _measure_quantiles(dataset: DetectionDataset) -> dict[float, float]:
    sizes = relative_sizes(*_stack_boxes(dataset))
    sizes = sizes[np.isfinite(sizes)]
    return dict(zip(QUANTILES, np.quantile(sizes, QUANTILES).tolist(), strict=True)) if len(sizes) else {}


def _stack_boxes(dataset: DetectionDataset) -> tuple[Floats, BoxFormat, Floats]:
    """Return (B, 4) boxes as stored, crowd regions left out, their format, and (B, 2) sizes of their images.

    No image is opened: sizes are NaN where no annotation gives them, and 1 where boxes are fractions.
    """
    boxes = np.concatenate([record.boxes for record in dataset]) if len(dataset) else np.empty((0, 4))
    sizes = [(record.width or np.nan, record.height or np.nan) for record in dataset]
    images = np.array(sizes, np.float64).reshape(-1, 2)[dataset.box_rows]
    if dataset.box_format == "cxcywhn":
        images = np.ones_like(images)
    single = ~dataset.box_crowd
    return boxes[single], dataset.box_format, images[single]


def check_images(dataset: DetectionDataset) -> tuple[Problem, ...]:
    """Decode every image; return those that are missing, truncated, unreadable, tiny or not of their stated size.

    Takes a few milliseconds per image, on all cores.
    """
    problems: list[Problem] = []
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(processors()) as pool,
        progress("decoding images", len(dataset), "images") as advance,
    ):
        warnings.simplefilter("ignore")
        for faults in pool.map(_check_image, dataset.records):
            advance()
            problems += faults
    named = {problem.file for problem in problems}
    for path, words in damaged_jpegs([record.path for record in dataset if record.path not in named]).items():
        problems.append(Problem(path, f"damaged inside, filled in when decoded ({words})"))
    return tuple(problems)


def _check_image(record: ImageRecord) -> list[Problem]:
    from PIL import Image

    try:
        with Image.open(record.path) as image:
            image.load()
            kind, turned = image.format, image.getexif().get(0x0112) in (5, 6, 7, 8)
            width, height = image.size[::-1] if turned else image.size
    # a broken file makes Pillow's decoders raise almost anything
    except Exception as error:
        return [Problem(record.path, f"cannot be decoded: {error or type(error).__name__}")]
    faults = []
    if min(width, height) < SMALLEST_SIDE:
        faults.append(f"{width} x {height} pixels; ultralytics skips images with a side below {SMALLEST_SIDE}")
    if record.width is not None and record.height is not None and (width, height) != (record.width, record.height):
        faults.append(f"{width} x {height} pixels, the annotations say {record.width} x {record.height}")
    if kind in ("JPEG", "MPO") and lacks_end_marker(record.path):
        faults.append("JPEG without its end marker; ultralytics would rewrite the file in place")
    return [Problem(record.path, what) for what in faults]
