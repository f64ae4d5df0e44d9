"""Open videos with OpenCV and its ffmpeg, quietly, and without files from a network."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2

from detreduce.errors import ImageReadError
from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.regular_files import open_regular

# OpenCV reads these variables when it opens a video. Without the first one, a damaged video prints thousands of lines.
_QUIET = ("OPENCV_FFMPEG_LOGLEVEL", "-8")
_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# a playlist could name addresses of a network, which a file with the suffix of a video may be
_LOCAL = "protocol_whitelist;file"
NO_VIDEO = "this is not a video that OpenCV can read: it has no video stream, or its header is missing or damaged"


def open_video(video: Path, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a video. `options` are pairs of an OpenCV property and its value.

    Raise ImageReadError if the file cannot be read or is not a video.
    """
    try:
        # a named pipe would block, and ffmpeg names no reason
        open_regular(video).close()
    except OSError as error:
        raise ImageReadError(error.strerror or str(error)) from None
    try:
        with _variables, quiet_decoders():
            capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG, list(options))
    except cv2.error:
        raise ImageReadError(NO_VIDEO) from None
    except UnicodeError:
        raise ImageReadError("the name of the file is not UTF-8; rename the file") from None
    if not capture.isOpened():
        raise ImageReadError(NO_VIDEO)
    return capture


class _Variables:
    """Sets the variables of OpenCV while videos are opened, and then restores them.

    Several threads may open videos at once: the first one sets the variables, and the last one restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening = 0
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        with self._lock:
            if not self._opening:
                self._before = {name: os.environ.get(name) for name in (_QUIET[0], _OPTIONS)}
                os.environ.setdefault(*_QUIET)
                # ours stands on both sides: the last one counts, and ffmpeg stops reading at a fault in the user's
                os.environ[_OPTIONS] = "|".join(filter(None, (_LOCAL, self._before[_OPTIONS], _LOCAL)))
            self._opening += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._opening -= 1
            if self._opening:
                return
            for name, value in self._before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


_variables = _Variables()
