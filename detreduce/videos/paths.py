"""Paths of frames. A frame is not a file: its path continues the path of its video, as if the video were a folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from detreduce.machine.untrusted.regular_files import is_regular

_SUFFIXES = "3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts webm wmv"
VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
DIGITS = 6
"""Least number of digits of a frame number in a name, so that names are in the order of the frames."""
FRAME_SUFFIX = ".jpg"
_NAME = re.compile(rf".*_(\d{{{DIGITS},}})\.jpg", re.DOTALL)


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame of a video.

    Attributes
    ----------
    video
        The video file.
    number
        Position of the frame in the video, from 0, in the order in which frames are shown.
    time
        Time at which the frame is shown, in seconds after the start of the video.
    """

    video: Path
    number: int
    time: float


def frame_name(video_name: str, number: int) -> str:
    """Return the name of a frame: ``drive_000120.jpg`` for frame 120 of the video ``drive``."""
    return f"{video_name}_{number:0{DIGITS}}{FRAME_SUFFIX}"


def video_of(path: str | os.PathLike[str]) -> tuple[Path, int] | None:
    """Return the video and the number of the frame that a path names. Return None for a path of another kind.

    This function may be called for 100,000 images. Therefore it looks at the disk only if the path looks like the path
    of a frame.
    """
    folder, name = os.path.split(os.fspath(path))
    if os.path.splitext(folder)[1].lower() not in VIDEO_SUFFIXES:  # noqa: PTH122 (100,000 calls)
        return None
    match = _NAME.fullmatch(name)
    return (Path(folder), int(match[1])) if match is not None and is_regular(folder) else None


def stored_file(path: Path) -> Path:
    """Return the file that stores an image: the video of a frame, or the path itself."""
    found = video_of(path)
    return path if found is None else found[0]
