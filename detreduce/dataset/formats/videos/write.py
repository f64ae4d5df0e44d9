"""Write the chosen frames of videos as images, with a table that gives the video and the time of each frame."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from detreduce.dataset.formats.format import Reload
from detreduce.dataset.formats.unlabelled.read import load_unlabelled
from detreduce.dataset.records import ImageRecord, Source, SplitSource
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.dataset_yaml import DATA_YAML, FRAMES_TABLE, write_dataset_yaml
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.display.numbers import counted
from detreduce.display.progress import progress
from detreduce.errors import ImageReadError, name_first

_IMAGES = "images"
_COLUMNS = ("image", "video", "frame", "time", "rank")


def write_videos(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the chosen frames and images with `placer`. Return a function that loads the written split from `target`.

    The output is a dataset of images: a folder of images for each split, and a data.yaml. ``frames.csv`` has one row
    for each frame: its video, its number, its time in seconds and its rank. The frame that was chosen first has the
    rank 1.
    """
    source, own = choice.dataset.source, choice.dataset.split
    splits = choice.load_records()
    folders = {split: PurePosixPath(_IMAGES) if len(splits) == 1 else PurePosixPath(_IMAGES, split) for split in splits}
    rows: list[tuple[str, str, int, str, int | str]] = []
    ranks = {image_id: rank for rank, image_id in enumerate(choice.image_ids, start=1)}
    with progress("Writing images", sum(map(len, splits.values())), "images") as advance:
        for split, records in splits.items():
            placer.make_folder(folders[split])
            places = {record.id: folders[split] / _name(record, choice.frames.suffix) for record in records}
            written = _write_frames(records, places, choice, placer, advance)
            for record in records:
                if record.frame is None:
                    placer.image(record.path, places[record.id])
                    advance()
                elif record.id in written:
                    video = os.path.relpath(record.frame.video, source.root).replace(os.sep, "/")
                    rank = ranks[record.id] if split == own else ""
                    rows.append((str(places[record.id]), video, record.frame.number, f"{record.frame.time:.3f}", rank))
    placer.write(FRAMES_TABLE, _table(rows))
    write_dataset_yaml(placer, "images", {split: str(folder) for split, folder in folders.items()})
    places_written = {split: SplitSource((target / folder,)) for split, folder in folders.items()}
    return partial(load_unlabelled, Source("images", target / DATA_YAML, target, places_written), own)


def _name(record: ImageRecord, suffix: str) -> PurePosixPath:
    """Return the path of an image below the folder of its split."""
    name = PurePosixPath(record.name)
    return name if record.frame is None else name.with_suffix(f".{suffix}")


def _write_frames(
    records: Iterable[ImageRecord],
    places: Mapping[int | str, PurePosixPath],
    choice: Choice,
    placer: Placer,
    advance: Callable[[], object],
) -> set[int | str]:
    """Write the frames of videos and return their ids. Issue a warning that names frames which cannot be decoded."""
    by_video: dict[Path, dict[int, ImageRecord]] = {}
    for record in records:
        if record.frame is not None:
            by_video.setdefault(record.frame.video, {})[record.frame.number] = record
    written: set[int | str] = set()
    failed: list[str] = []
    for video, wanted in by_video.items():
        choice.files.check_image(video)
        for number, image in _frames(video, sorted(wanted)):
            record = wanted[number]
            if image is None:
                failed.append(record.name)
            else:
                placer.write(places[record.id], choice.frames.encode(image))
                written.add(record.id)
            advance()
        choice.files.check_image(video)
    if failed:
        warn_about_subset(
            f"{counted(len(failed), 'frame cannot be decoded and was', 'frames cannot be decoded and were')} "
            f"not written: {name_first(failed)}."
        )
    return written


def _frames(video: Path, numbers: list[int]) -> Iterator[tuple[int, npt.NDArray[np.uint8] | None]]:
    """Yield the wanted frames of a video by number. A frame that cannot be decoded is None."""
    from detreduce.videos.reader import VideoReader  # imports OpenCV

    try:
        reader = VideoReader(video)
    except ImageReadError:
        yield from ((number, None) for number in numbers)
        return
    try:
        yield from reader.frames(numbers, jump=True)
    finally:
        reader.close()


def _table(rows: Iterable[tuple[object, ...]]) -> bytes:
    """Return the content of ``frames.csv``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")
