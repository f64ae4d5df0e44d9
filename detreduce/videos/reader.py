"""Decode frames of a video by their numbers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.errors import ImageReadError
from detreduce.videos.capture import open_video
from detreduce.videos.index import VideoIndex, read_index
from detreduce.videos.paths import video_of

RGB = npt.NDArray[np.uint8]
MISSING = "the frame cannot be decoded"
_SAME = 1e-4
"""Largest difference of two times of one frame, in seconds."""
_WORTH_A_JUMP = 48
"""Smallest number of frames to skip at once. A jump decodes some frames before its target too."""
_OPEN = 4
"""Number of videos that `read_frame` keeps open."""


class VideoReader:
    """Reads the frames of a video by their numbers. Reading in ascending order is fast.

    The number of a decoded frame is found by its time, so that the numbers are correct even if the video is damaged. An
    object of this class must not be used by several threads at once.
    """

    def __init__(self, video: Path) -> None:
        self.video = video
        self.index: VideoIndex = read_index(video)
        self._capture = open_video(video)
        self._number = -1

    def close(self) -> None:
        """Close the video."""
        self._capture.release()

    def frames(self, numbers: Iterable[int], *, jump: bool = False) -> Iterator[tuple[int, RGB | None]]:
        """Yield each number and the (h, w, 3) RGB pixels of the frame. A frame that cannot be decoded is None.

        If `jump` is True, frames between the wanted frames are skipped instead of decoded where this is faster. Without
        `jump`, descending numbers are slow.
        """
        for number in numbers:
            yield number, self._frame(number, jump=jump)

    def _frame(self, number: int, *, jump: bool) -> RGB | None:
        jumped = jump and self._jump(number)
        if number < self._number and not jumped:
            self._restart()
        while self._number < number:
            if not self._grab():
                return None
        return self._picture() if self._number == number else None

    def _picture(self) -> RGB | None:
        """Return the pixels of the current frame."""
        with suppress(cv2.error):
            found, image = self._capture.retrieve()
            if found and image is not None:
                return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
        return None

    def _grab(self) -> bool:
        """Decode the next frame, and note its number. Return False at the end of the video."""
        try:
            if not self._capture.grab():
                return False
        except cv2.error:
            return False
        self._number = self._number_of(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        return True

    def _number_of(self, time: float) -> int:
        """Return the number of the frame that was decoded last."""
        if self.index.timed:
            place = int(np.searchsorted(self.index.times, time - _SAME))
            if place < len(self.index) and abs(self.index.times[place] - time) <= _SAME:
                return place
        return self._number + 1

    def _jump(self, number: int) -> bool:
        """Continue at the last frame before `number` at which decoding can start, if this saves time.

        Return whether the video is now at or before the frame `number`.
        """
        keys = self.index.keys
        place = int(np.searchsorted(keys, number, side="right")) - 1
        near = number - self._number >= 0 and (place < 0 or keys[place] - self._number <= _WORTH_A_JUMP)
        if not self.index.timed or place < 0 or near:
            return False
        self._capture.set(cv2.CAP_PROP_POS_MSEC, float(self.index.times[keys[place]]) * 1000)
        # a failed jump may end anywhere: only a time in the index is proof
        self._number = -2
        if not self._grab() or not 0 <= self._number <= number:
            self._restart()
        return True

    def _restart(self) -> None:
        """Read again from the first frame."""
        self._capture.release()
        self._capture = open_video(self.video)
        self._number = -1


class _OpenVideos:
    """The videos that were used last. They stay open, because the next frame is often from the same video."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: OrderedDict[Path, VideoReader] = OrderedDict()

    def frame(self, video: Path, number: int) -> RGB | None:
        """Return a frame. One thread reads at a time."""
        with self._lock:
            reader = self._readers.get(video)
            if reader is None or reader.index is not read_index(video):
                reader = VideoReader(video)
            self._readers[video] = reader
            self._readers.move_to_end(video)
            while len(self._readers) > _OPEN:
                self._readers.popitem(last=False)[1].close()
            return next(reader.frames([number], jump=True))[1]


_videos = _OpenVideos()


def read_frame(path: Path) -> RGB | None:
    """Return the (h, w, 3) RGB pixels of a frame by its path. Return None if the path is not a path of a frame.

    Raise ImageReadError if the frame cannot be decoded.
    """
    found = video_of(path)
    if found is None:
        return None
    image = _videos.frame(*found)
    if image is None:
        raise ImageReadError(MISSING)
    return image
