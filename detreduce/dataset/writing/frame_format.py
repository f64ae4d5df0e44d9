"""The image format in which frames of videos are written."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.errors import DetreduceError, InputError

_TEXT = re.compile(r"(jpg|png)(?::(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """``jpg`` with a quality from 1 to 100, or ``png``, which is lossless and larger."""

    suffix: str = "jpg"
    quality: int = 95

    @classmethod
    def parse(cls, text: str) -> FrameFormat:
        """Parse a text such as ``jpg``, ``jpg:90`` or ``png``. Raise InputError for any other text."""
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        quality = int(match[2] or cls().quality) if match else 0
        if match is None or not 1 <= quality <= 100 or (match[1] == "png" and match[2]):
            raise InputError(f"frames={text!r} is not valid. Use jpg, jpg:90 (a quality from 1 to 100) or png.")
        return cls(match[1], quality)

    def encode(self, image: npt.NDArray[np.uint8]) -> bytes:
        """Encode an RGB image (h, w, 3), and return the content of the image file."""
        import cv2  # most commands start without it

        options = [cv2.IMWRITE_JPEG_QUALITY, self.quality] if self.suffix == "jpg" else []
        done, data = cv2.imencode(f".{self.suffix}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
        if not done:
            raise DetreduceError(f"An image of {image.shape[1]} x {image.shape[0]} pixels cannot be written.")
        return data.tobytes()
