"""The frames of a video with their times. Packets are read, but not decoded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.errors import ImageReadError
from detreduce.machine.untrusted.image_files import check_pixels
from detreduce.videos.capture import open_video

_PACKETS = (cv2.CAP_PROP_FORMAT, -1)
_CLOSEST = 2e-4
"""Shortest time between two frames in seconds. Frames that are closer cannot be distinguished by their times."""
_SHORTER = 1.0, 0.05
"""A video is truncated if it ends this much earlier than its header says: seconds, and a share of its length."""


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """The frames of a video.

    Attributes
    ----------
    times
        (n,) float64: time of each frame in seconds, ascending.
    keys
        (m,) int64: numbers of the key frames, ascending. Decoding can start at these frames.
    width, height
        Size of a frame in pixels, after rotation.
    stated
        Length of the video in seconds according to its header. 0 if the header does not state a length.
    timed
        Whether all frames have different times, so that a time identifies a frame.
    """

    times: npt.NDArray[np.float64]
    keys: npt.NDArray[np.int64]
    width: int
    height: int
    stated: float
    timed: bool

    def __len__(self) -> int:
        return len(self.times)

    @property
    def rate(self) -> float:
        """Mean number of frames per second. 0 if there is only one frame."""
        length = self.times[-1] - self.times[0]
        return float((len(self) - 1) / length) if length > 0 else 0.0

    @property
    def seconds(self) -> float:
        """Time from the first frame to the end of the last frame, in seconds."""
        return float(self.times[-1] - self.times[0] + (1 / self.rate if self.rate else 0.0))

    @property
    def missing(self) -> str:
        """A sentence about a video that ends too early, or an empty text."""
        if self.stated <= self.seconds + max(_SHORTER[0], _SHORTER[1] * self.stated):
            return ""
        return (
            f"ends after {self.seconds:.1f} s, but its header states {self.stated:.1f} s; the frames up to the end of "
            "the file are used"
        )


def read_index(video: Path) -> VideoIndex:
    """Return the frames of a video. The result is kept in memory, and the file is read again only if it has changed.

    Raise ImageReadError if the file is not a video, or if no frame can be decoded.
    """
    try:
        status = video.stat()
    except OSError as error:
        raise ImageReadError(error.strerror or str(error)) from None
    return _read(video, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _read(video: Path, size: int, changed: int) -> VideoIndex:
    """Return the frames of a video.

    `size` and `changed` are the size and the modification time of the file. They are part of the cache key, so that the
    cache does not return the frames of an older version.
    """
    width, height, stated = _first_frame(video)
    times, is_key = _packets(video)
    order = np.argsort(times, kind="stable")
    times, keys = times[order], np.flatnonzero(is_key[order])
    timed = _tells_apart(times)
    if not timed or not len(times):
        # the packets of some files have no times
        times, keys = _decoded(video), np.empty(0, np.int64)
        timed = _tells_apart(times)
        # without times, numbers are in the order of decoding
        times = np.maximum.accumulate(times) if len(times) else times
    if not len(times):
        raise ImageReadError("no frame can be decoded")
    return VideoIndex(times, keys, width, height, stated, timed)


def _tells_apart(times: npt.NDArray[np.float64]) -> bool:
    """Return whether the times ascend, and no two frames have the same time."""
    return bool((np.diff(times) > _CLOSEST).all())


def _first_frame(video: Path) -> tuple[int, int, float]:
    """Return the width and the height of the first frame, and the length in seconds that the header states."""
    capture = open_video(video)
    try:
        width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        check_pixels(max(width, 1), max(height, 1))
        rate, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        stated = frames / rate if rate > 0 and frames > 0 else 0.0
        found, image = capture.read()
        if not found or image is None:
            raise ImageReadError(f"no frame can be decoded{_codec(capture)}")
        return image.shape[1], image.shape[0], stated
    except cv2.error:
        raise ImageReadError(f"no frame can be decoded{_codec(capture)}") from None
    finally:
        capture.release()


def _codec(capture: cv2.VideoCapture) -> str:
    """Return the end of an error message: the codec of the video, and the advice to convert the video."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    name = code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")
    return f" (codec {name!r}; another program may convert the video to H.264)" if name.isprintable() and name else ""


def _packets(video: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the time of each packet in seconds, and whether decoding can start at the packet.

    Packets are in the order of the file, in which a frame may come before frames that are shown earlier.
    """
    times: list[float] = []
    keys: list[bool] = []
    try:
        capture = open_video(video, _PACKETS)
    except ImageReadError:
        return np.empty(0), np.empty(0, bool)
    try:
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            keys.append(capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) > 0)
    finally:
        capture.release()
    return np.array(times, np.float64), np.array(keys, bool)


def _decoded(video: Path) -> npt.NDArray[np.float64]:
    """Return the time of each frame in seconds. All frames are decoded."""
    capture = open_video(video)
    times: list[float] = []
    try:
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    finally:
        capture.release()
    return np.array(times, np.float64)
