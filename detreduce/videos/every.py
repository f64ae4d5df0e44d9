"""How densely frames are taken from a video: for example, one frame every 0.5 seconds, or every tenth frame."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError

DEFAULT = "0.5s"
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(s?)\s*")
_EXACT = 1e-6
"""Tolerance of times in seconds: the time of a frame is rounded to a multiple of the video's unit of time."""


@dataclass(frozen=True, slots=True)
class Every:
    """The interval between the frames that are taken from a video.

    If `in_seconds` is True, the interval `step` is a time in seconds. Otherwise it is a number of frames.
    """

    step: float
    in_seconds: bool

    @classmethod
    def parse(cls, text: str | int) -> Every:
        """Return the value of a text such as ``0.5s`` (seconds) or ``10`` (frames). Raise InputError otherwise."""
        match = _TEXT.fullmatch(str(text)) if isinstance(text, str | int) and not isinstance(text, bool) else None
        step = float(match[1]) if match else 0.0
        if match is None or not 0 < step < math.inf or not (match[2] or step.is_integer()):
            raise InputError(
                f"every={text!r} is not valid. Use seconds, such as 0.5s, or a number of frames, such as 10."
            )
        return cls(step, bool(match[2]))

    def choose(self, times: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the numbers of the frames to use. `times` (n,) has the time of each frame in seconds, ascending.

        If `step` is a time, the first frame at or after 0, `step`, 2 * `step`, ... seconds is used. The seconds are
        counted from the first frame.
        """
        if not self.in_seconds:
            return np.arange(0, len(times), int(self.step), dtype=np.int64)
        passed = np.floor((times - times[0] + _EXACT) / self.step)
        return np.flatnonzero(np.diff(passed, prepend=-1.0) > 0).astype(np.int64)
