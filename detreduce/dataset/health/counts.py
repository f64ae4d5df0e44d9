"""Count the images, boxes and classes of a dataset, and find images that cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.dataset.box_sizes import Floats, count_sizes, inside_sides, relative_sizes
from detreduce.dataset.formats.registry import get_format
from detreduce.dataset.health.jpeg import damaged_jpegs, lacks_end_marker
from detreduce.dataset.health.repeated_names import RENAME, find_repeated_names
from detreduce.dataset.joined_classes import class_problems
from detreduce.dataset.load import load_split
from detreduce.dataset.paths.outside import outside_notice
from detreduce.dataset.records import BoxFormat, DetectionDataset, ImageRecord, Problem, Source
from detreduce.dataset.splits import in_order
from detreduce.display.progress import progress
from detreduce.errors import ImageReadError, InputError
from detreduce.machine.processors import processors
from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.image_files import check_pixels, decoding, opened_image
from detreduce.ultralytics_bridge.shown_size import shown_size

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TINY = 8 / 640
"""A box counts as tiny if sqrt(box area / image area) is below this value."""
# ultralytics skips images with a side shorter than this
SMALLEST_SIDE = 10


@dataclass(frozen=True)
class ClassSummary:
    """One class: its key in the files, its name, and its number of images and boxes."""

    key: int | str
    name: str
    images: int
    boxes: int


@dataclass(frozen=True)
class VideoSummary:
    """A video: its length in seconds, its frames per second, its size in pixels, how many frames it has, and how many
    are used.
    """

    name: str
    seconds: float
    rate: float
    width: int
    height: int
    frames: int
    used: int


@dataclass(frozen=True)
class DatasetSummary:
    """The summary of one split that `detreduce inspect` shows.

    Attributes
    ----------
    path
        The file or folder of the dataset.
    format
        Name of the format.
    split
        Name of the split.
    labelled
        Whether the dataset has labels. False for a folder of images without annotations.
    images
        Number of images.
    boxes
        Number of boxes, without crowd regions.
    crowd
        Number of crowd regions.
    background
        Number of images without boxes. Crowd regions do not count as boxes, and images with unreadable labels are not
        counted here.
    classes
        One summary per class.
    sizes
        Number of small, medium and large boxes, with COCO's bounds of 32 x 32 and 96 x 96 pixels. If an annotation file
        gives the size of an image, only the part of a box inside the image counts. None if boxes are given as fractions
        of the image (YOLO).
    side_quantiles
        Quantiles of the size of the boxes, sqrt(box area / image area), over all boxes in images of known size. Only
        the part of a box inside the image counts. Empty if no image has a known size.
    splits
        Number of images in each split.
    problems
        The problems in the files of all splits.
    refused
        Number of images of the split that ultralytics leaves out of a training because of their label files.
    outside
        A sentence that says how many files are outside the dataset's folder. Empty if there are none.
    tiny
        Number of boxes that would be smaller than 8 x 8 pixels in an image of 640 x 640.
    videos
        One summary per video whose frames are used.
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
    refused: int = 0
    outside: str = ""
    tiny: int = 0
    videos: tuple[VideoSummary, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as a dict of values that JSON can store."""
        return {**self.to_pieces(), "problems": list(self._plain_problems())}

    def to_pieces(self) -> dict[str, Any]:
        """Return the same content as `to_dict`, but with an iterator over the problems.

        There may be millions of problems, and an iterator does not need memory for all of them.
        """
        plain = {key: value for key, value in vars(self).items() if key not in ("classes", "videos", "problems")}
        return {
            **plain,
            "path": str(self.path),
            "classes": [asdict(entry) for entry in self.classes],
            "videos": [asdict(entry) for entry in self.videos],
            "sizes": dict(self.sizes) if self.sizes is not None else None,
            "side_quantiles": {str(q): value for q, value in self.side_quantiles.items()},
            "splits": dict(self.splits),
            "problems": self._plain_problems(),
        }

    def _plain_problems(self) -> Iterator[dict[str, Any]]:
        """Yield each problem as a dict."""
        for problem in self.problems:
            yield {"file": str(problem.file), "line": problem.line, "what": problem.what}


def summarise(
    dataset: DetectionDataset, others: tuple[Mapping[str, DetectionDataset], Iterable[Problem]] | None = None
) -> DatasetSummary:
    """Summarise a dataset without opening its images.

    `others` is the result of `load_all_splits`. If `others` is None, this function loads all splits itself, because the
    summary contains the problems of all splits.
    """
    splits, unloaded = others or load_all_splits(dataset)
    single = ~dataset.box_crowd
    rows, kinds, classes = dataset.box_rows[single], dataset.box_classes[single], len(dataset.class_names)
    boxes = np.bincount(kinds, minlength=classes)
    # count (image, class) pairs instead of making a table of images and classes, which can be large with many classes
    images = np.bincount(np.unique(rows * classes + kinds) % max(classes, 1), minlength=classes)
    sizes, side_quantiles, tiny = _measure_sizes(dataset)
    return DatasetSummary(
        path=dataset.source.typed,
        format=dataset.source.format,
        split=dataset.split,
        labelled=dataset.labelled,
        images=len(dataset),
        boxes=int(boxes.sum()),
        crowd=int(dataset.box_crowd.sum()),
        background=int(dataset.background.sum()),
        classes=tuple(
            ClassSummary(key, name, int(images[number]), int(boxes[number]))
            for number, (key, name) in enumerate(zip(dataset.class_keys, dataset.class_names, strict=True))
        ),
        sizes=sizes,
        side_quantiles=side_quantiles,
        splits=count_splits(
            dataset.source, {name: len(one) for name, one in splits.items()} | {dataset.split: len(dataset)}
        ),
        problems=problems_of_splits(dataset, splits, unloaded),
        tiny=tiny,
        refused=sum(not record.trainable for record in dataset),
        outside=outside_notice(dataset),
        videos=summarise_videos(dataset),
    )


def summarise_videos(dataset: DetectionDataset) -> tuple[VideoSummary, ...]:
    """Summarise each video whose frames are images of the dataset."""
    from detreduce.videos.index import read_index  # imports OpenCV

    used = Counter(record.frame.video for record in dataset if record.frame is not None)
    return tuple(
        VideoSummary(
            name=Path(os.path.relpath(video, dataset.source.root)).as_posix(),
            seconds=round(index.seconds, 3),
            rate=round(index.rate, 3),
            width=index.width,
            height=index.height,
            frames=len(index),
            used=count,
        )
        for video, count in used.items()
        for index in [read_index(video)]
    )


def load_all_splits(dataset: DetectionDataset) -> tuple[dict[str, DetectionDataset], list[Problem]]:
    """Return all splits of the dataset, in order, and a problem for each split that cannot be loaded.

    `dataset` is one of these splits. No image is opened.
    """
    loaded, problems = {dataset.split: dataset}, []
    for split in dataset.source.splits:
        if split == dataset.split:
            continue
        try:
            loaded[split] = load_split(dataset.source, split)
        except InputError as error:
            problems.append(Problem(dataset.source.typed, f"the {split} split cannot be loaded: {error}"))
    return in_order(loaded), problems


def all_problems(dataset: DetectionDataset) -> tuple[Problem, ...]:
    """Return the problems of all splits, as `inspect` lists them. This loads the annotations of the other splits."""
    return problems_of_splits(dataset, *load_all_splits(dataset))


def problems_of_splits(
    dataset: DetectionDataset, splits: Mapping[str, DetectionDataset], unloaded: Iterable[Problem]
) -> tuple[Problem, ...]:
    """Return the problems of `dataset`, followed by the problems of its other splits.

    `splits` and `unloaded` are the result of `load_all_splits`.
    """
    found = [*dataset.problems, *_find_emptiness(dataset), *unloaded]
    for split, other in splits.items():
        if split != dataset.split:
            found += [*other.problems, *_find_emptiness(other)]
    repeated = _describe_repeated_names([dataset, *splits.values()])
    return tuple(dict.fromkeys([*found, *repeated, *class_problems(splits)]))


def _find_emptiness(dataset: DetectionDataset) -> list[Problem]:
    """Return a list with one problem if the split has no images, otherwise an empty list."""
    place = dataset.source.splits.get(dataset.split)
    file = place.annotations if place is not None and place.annotations is not None else dataset.source.path
    return [] if len(dataset) else [Problem(file, f"the {dataset.split} split has no images")]


def _describe_repeated_names(splits: Sequence[DetectionDataset]) -> list[Problem]:
    """Return a problem for each name that several classes with boxes share."""
    return [
        Problem(splits[0].source.typed, f"{one.text}. {RENAME}")
        for one in find_repeated_names(splits)
        if one.mixes_boxes
    ]


def count_splits(source: Source, known: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the number of images in each split.

    `known` contains the numbers of the splits that were already counted.
    """
    count = get_format(source.format).count_images
    counted = known or {}
    return {split: counted[split] if split in counted else count(source, split) for split in source.splits}


def _measure_sizes(dataset: DetectionDataset) -> tuple[dict[str, int] | None, dict[float, float], int]:
    """Compute the fields `sizes`, `side_quantiles` and `tiny` of a `DatasetSummary`."""
    boxes, box_format, images = _stack_boxes(dataset)
    sides = inside_sides(boxes, box_format, images)
    relative = relative_sizes(sides, images)
    relative = relative[np.isfinite(relative)]
    values = np.quantile(relative, QUANTILES).tolist() if len(relative) else []
    tiny = int((relative < TINY).sum())
    return None if box_format == "cxcywhn" else count_sizes(sides), dict(zip(QUANTILES, values, strict=False)), tiny


def _stack_boxes(dataset: DetectionDataset) -> tuple[Floats, BoxFormat, Floats]:
    """Return all boxes except crowd regions (B, 4), their format, and the size of each box's image (B, 2).

    No image is opened. The size is NaN if no annotation file gives it, and 1 if boxes are fractions of the image.
    """
    boxes = np.concatenate([record.boxes for record in dataset]) if len(dataset) else np.empty((0, 4))
    single = ~dataset.box_crowd
    if dataset.box_format == "cxcywhn":
        return boxes[single], dataset.box_format, np.ones((int(single.sum()), 2))
    sizes = [(record.width or np.nan, record.height or np.nan) for record in dataset]
    images = np.array(sizes, np.float64).reshape(-1, 2)[dataset.box_rows[single]]
    return boxes[single], dataset.box_format, images


def check_images(dataset: DetectionDataset) -> tuple[Problem, ...]:
    """Decode every image, and return the problems that were found.

    An image is reported if it is missing, truncated, unreadable or tiny, or if its size differs from the size in the
    annotations. The check uses all processors and takes a few milliseconds per image.
    """
    problems: list[Problem] = []
    with (
        ThreadPoolExecutor(processors()) as pool,
        progress("decoding images", len(dataset), "images") as advance,
    ):
        files = [record for record in dataset if record.frame is None]
        frames = [record for record in dataset if record.frame is not None]
        # frames one after the other, because a video is fast to read only forward
        for faults in chain(pool.map(_check_image, files), map(_check_image, frames)):
            advance()
            problems += faults
    named = {problem.file for problem in problems}
    others = [record.path for record in files if record.path not in named]
    for path, words in damaged_jpegs(others).items():
        problems.append(Problem(path, f"damaged; decoders fill in the missing parts ({words})"))
    return tuple(problems)


def _check_image(record: ImageRecord) -> list[Problem]:
    """Decode one image, and return its problems."""
    if record.frame is not None:
        return _check_frame(record)
    try:
        with opened_image(record.path) as image:
            check_pixels(*image.size)
            with decoding(image.width * image.height), quiet_decoders():
                image.load()
            kind = image.format
            width, height = shown_size(image, record.path)
    # for a broken file, Pillow's decoders can raise almost any error
    except Exception as error:
        return [Problem(record.path, f"cannot be decoded: {error or type(error).__name__}")]
    faults = []
    if min(width, height) < SMALLEST_SIDE:
        faults.append(f"{width} x {height} pixels; ultralytics skips images with a side below {SMALLEST_SIDE}")
    if record.width is not None and record.height is not None and (width, height) != (record.width, record.height):
        faults.append(f"{width} x {height} pixels, but the annotations say {record.width} x {record.height}")
    if kind in ("JPEG", "MPO") and lacks_end_marker(record.path):
        faults.append("JPEG without its end marker; ultralytics would rewrite the file in place")
    return [Problem(record.path, what) for what in faults]


def _check_frame(record: ImageRecord) -> list[Problem]:
    """Decode one frame of a video, and return its problems."""
    from detreduce.videos.reader import read_frame  # imports OpenCV

    try:
        read_frame(record.path)
    except ImageReadError as error:
        return [Problem(record.path, str(error))]
    return []
