"""Paths of frames. A frame is not a file: its path continues the path of its video, as if the video were a folder."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass
from pathlib import Path

from detreduce.machine.untrusted.regular_files import is_regular, open_regular

_SUFFIXES = "3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts webm wmv"
VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
_TYPESCRIPT = (".ts", ".mts")
"""Suffixes of MPEG transport streams that source code has too."""
_SYNC, _PACKETS, _PACKET_SIZES = 0x47, 4, (188, 192, 204)
"""First byte of a packet of a transport stream, number of packets to check, and possible sizes of a packet in bytes."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
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


def may_be_video(file: Path) -> bool:
    """Return whether a file with the suffix of a video may be a video.

    The result is False for a text that has the suffix of a transport stream, such as the TypeScript file ``index.ts``.
    A damaged transport stream still counts as a video, so that it is listed as a problem.
    """
    if file.suffix.lower() not in _TYPESCRIPT:
        return True
    try:
        with open_regular(file) as opened:
            head = opened.read((_PACKETS + 1) * max(_PACKET_SIZES))
    except OSError:
        # the reader says why the file cannot be opened
        return True
    return _has_packets(head) or (b"\0" in head and not head.startswith(_UTF16))


def _has_packets(head: bytes) -> bool:
    """Return whether bytes contain the starts of several packets of a transport stream, at equal distances."""
    return any(
        all(head[start + packet * size] == _SYNC for packet in range(_PACKETS))
        for size in _PACKET_SIZES
        for start in range(min(size, len(head) - (_PACKETS - 1) * size))
    )
