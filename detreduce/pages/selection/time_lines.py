"""One time line per video: when its frames were kept, and which frames were left out as near-duplicates."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.records import DetectionDataset
from detreduce.selection.record import Selection

LENGTH = 1000
"""The length of a time line, in units of its SVG drawing."""
SHOWN = 40
"""The maximum number of videos that get a time line."""
MARKS = 4000
"""The maximum number of kept frames that are drawn with a tooltip. The others are drawn without one."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A kept frame: its position on the line, and the text of its tooltip."""

    x: float
    words: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    """The time line of one video.

    Attributes
    ----------
    name
        The path of the video, relative to the dataset's folder.
    seconds
        The length of the video in seconds, as `inspect` prints it.
    used, kept
        The numbers of used frames and of kept frames.
    marks
        The kept frames.
    kept_path
        SVG path of the marks of all kept frames.
    alike_path
        SVG path of the marks of all near-duplicates.
    """

    name: str
    seconds: float
    used: int
    kept: int
    marks: tuple[Mark, ...]
    kept_path: str
    alike_path: str

    @property
    def length(self) -> str:
        """The length of the time line in words, for example ``2 min 5 s``."""
        minutes, seconds = divmod(round(self.seconds), 60)
        return f"{minutes} min {seconds} s" if minutes else f"{self.seconds:.1f} s"


def time_lines(selection: Selection, dataset: DetectionDataset) -> tuple[TimeLine, ...]:
    """Return one time line per video, in the order of their names. Without videos, the result is empty."""
    rows: dict[Path, list[int]] = {}
    for row, record in enumerate(dataset):
        if record.frame is not None:
            rows.setdefault(record.frame.video, []).append(row)
    from detreduce.videos.index import read_index  # imports OpenCV

    ranks = {image: rank for rank, image in enumerate(selection.image_ids, start=1)}
    alike = {pair["copy"] for pair in selection.duplicates.get("pairs", ())} - ranks.keys()
    lines, left = [], MARKS
    for video, frames in rows.items():
        records = [dataset[row] for row in frames]
        times = {record.id: record.frame.time for record in records if record.frame is not None}
        end = read_index(video).seconds
        places = {image: round(LENGTH * time / (end or 1.0), 1) for image, time in times.items()}
        kept = [record for record in records if record.id in ranks]
        marks = tuple(
            Mark(places[record.id], f"{record.name}, {times[record.id]:.1f} s, number {ranks[record.id]}")
            for record in kept[:left]
        )
        left -= len(marks)
        lines.append(
            TimeLine(
                name=Path(os.path.relpath(video, dataset.source.root)).as_posix(),
                seconds=end,
                used=len(records),
                kept=len(kept),
                marks=marks,
                kept_path=_ticks({places[record.id] for record in kept}, 2, 22),
                alike_path=_ticks({places[record.id] for record in records if record.id in alike}, 16, 8),
            )
        )
    return tuple(lines)


def _ticks(places: set[float], top: int, height: int) -> str:
    """Return an SVG path with a vertical line at each place."""
    return "".join(f"M{place:g} {top}v{height}" for place in sorted(places))
