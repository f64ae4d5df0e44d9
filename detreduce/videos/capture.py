"""Open videos with OpenCV and its ffmpeg, quietly, and without files from a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2

from detreduce.errors import ImageReadError
from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.regular_files import open_regular

# read by OpenCV when it opens its first video: a damaged video prints thousands of lines
_QUIET = ("OPENCV_FFMPEG_LOGLEVEL", "-8")
# a playlist could name addresses of a network, which a file with the suffix of a video may be
_LOCAL = ("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
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
    for name, value in (_QUIET, _LOCAL):
        os.environ.setdefault(name, value)
    try:
        with quiet_decoders():
            capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG, list(options))
    except cv2.error:
        raise ImageReadError(NO_VIDEO) from None
    except UnicodeError:
        raise ImageReadError("the name of the file is not UTF-8; rename the file") from None
    if not capture.isOpened():
        raise ImageReadError(NO_VIDEO)
    return capture
