"""Image files to arrays for a network: strict decoding, then the resize that a backbone asks for."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.errors import ImageReadError

RGB = npt.NDArray[np.uint8]

PAD_VALUE = 114  # the grey of ultralytics' letterbox
_JPEG_START = b"\xff\xd8"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# OpenCV before 4.11 has only BGR
_COLOUR: int = getattr(cv2, "IMREAD_COLOR_RGB", cv2.IMREAD_COLOR)
_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes a network's input; its `key` is part of the cache key.

    Attributes
    ----------
    imgsz
        ``letterbox``: pixels of the longer side. ``stretch``: pixels of both sides.
    shape
        ``letterbox`` keeps the aspect and pads to a multiple of `stride`, centred, with grey 114, as ultralytics does
        for a single image. ``stretch`` squeezes the whole image into a square: no border is cut off, since objects lie
        there too.
    mean, std
        Per RGB channel, in units of 0..255 pixels: input = (pixel - mean) / std.
    stride
        Of the letterbox's padding.
    """

    imgsz: int
    shape: Literal["letterbox", "stretch"]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    stride: int = 32

    @property
    def key(self) -> str:
        """The words that, with the weights, decide every input pixel."""
        size = (
            f"{self.imgsz} px, stride {self.stride}, grey {PAD_VALUE}"
            if self.shape == "letterbox"
            else f"{self.imgsz} px"
        )
        return (
            f"RGB 8 bit, EXIF rotation applied, {self.shape} {size}, bilinear, "
            f"JPEG scaled by 1/2, 1/4 or 1/8 while decoding where still at least that size, "
            f"minus {list(self.mean)}, over {list(self.std)}"
        )

    def __call__(self, image: RGB) -> RGB:
        """Resize an (h, w, 3) uint8 image to the network's input size; still uint8, not yet normalised."""
        if self.shape == "stretch":
            return _resize(image, self.imgsz, self.imgsz)
        height, width = image.shape[:2]
        scale = self.imgsz / max(height, width)
        new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
        image = _resize(image, new_height, new_width)
        pad_height, pad_width = -new_height % self.stride, -new_width % self.stride
        if not pad_height and not pad_width:
            return image
        # the odd pixel goes below and to the right, as in ultralytics
        top, left = round(pad_height / 2 - 0.1), round(pad_width / 2 - 0.1)
        return cv2.copyMakeBorder(  # type: ignore[return-value]
            image, top, pad_height - top, left, pad_width - left, cv2.BORDER_CONSTANT, value=(PAD_VALUE,) * 3
        )


def _resize(image: RGB, height: int, width: int) -> RGB:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def decode(data: bytes, *, longest: int | None = None, shortest: int | None = None) -> RGB:
    """Decode an image file's bytes to (h, w, 3) uint8 RGB, EXIF rotation applied, as ultralytics sees it.

    Grey, palette, 16-bit (upper 8 bits) and transparent (alpha dropped) images become plain RGB. `longest`, `shortest`:
    a JPEG may be decoded at 1/2, 1/4 or 1/8 as long as its longer and shorter sides keep at least these many pixels.

    Damage inside a JPEG's compressed data, where its end marker is still there, is not noticed: no decoder here reports
    it (libjpeg fills in and prints a line), and a second decoding costs too much. `check_images` finds it.

    Raises
    ------
    ImageReadError
        Empty, truncated (a JPEG or PNG without its end marker counts as truncated) or not an image.
    """
    if not data:
        raise ImageReadError("the file is empty")
    flag = _COLOUR
    if data.startswith(_JPEG_START):
        size, whole = _walk_jpeg(data)
        if not whole:
            raise ImageReadError("truncated JPEG (no end marker)")
        flag = _reduction(size, longest, shortest)
    elif data.startswith(_PNG_START):
        if b"IEND\xaeB`\x82" not in data[-1024:]:
            raise ImageReadError("truncated PNG (no end chunk)")
    else:
        return _decode_other(data)
    image = _decode_opencv(data, flag)
    return _decode_pillow(data) if image is None else image


def _decode_opencv(data: bytes, flag: int) -> RGB | None:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:  # OpenCV raises for sizes over its limit
        return None
    if image is None or flag == getattr(cv2, "IMREAD_COLOR_RGB", None):
        return image  # type: ignore[return-value]
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)  # type: ignore[return-value]


def _decode_other(data: bytes) -> RGB:
    # some OpenCV versions fill what is missing of these formats with black; Pillow is strict
    strict = _decode_pillow(data)
    image = _decode_opencv(data, _COLOUR)
    return strict if image is None else image


def _decode_pillow(data: bytes) -> RGB:
    import warnings

    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # ultralytics' replacement of Image.open installs packages when a file is no image
            patched = sys.modules.get("ultralytics.utils.patches")
            with getattr(patched, "_image_open", Image.open)(io.BytesIO(data)) as image:
                image.load()
                rotated = ImageOps.exif_transpose(image)
                return np.asarray(rotated.convert("RGB"))
    except Image.UnidentifiedImageError:
        raise ImageReadError("not an image of a known format") from None
    except Exception as error:  # Pillow's plugins raise many kinds
        raise ImageReadError(f"truncated or damaged ({str(error)[:80]})") from None


def _reduction(size: tuple[int, int] | None, longest: int | None, shortest: int | None) -> int:
    if size is None or longest is None:
        return _COLOUR
    for divisor, flag in _REDUCED:
        if max(size) >= divisor * longest and min(size) >= divisor * (shortest or 1):
            return flag
    return _COLOUR


def _walk_jpeg(data: bytes) -> tuple[tuple[int, int] | None, bool]:
    """Size (width, height) of a JPEG before rotation, and whether its end marker is there.

    A thumbnail's end marker inside an APP segment is stepped over, and bytes after the end are nobody's business.
    """
    size = None
    at = 2
    while (match := _MARKER.search(data, at)) is not None:
        code = match[1][0]
        if code == 0xD9:
            return size, True
        at = match.end()
        if code in (0x01, 0xD8):
            continue
        segment = data[at : at + 7]
        if len(segment) < 7:
            break
        if code in _FRAME_MARKERS and size is None:
            size = (int.from_bytes(segment[5:7], "big"), int.from_bytes(segment[3:5], "big"))
        at += int.from_bytes(segment[:2], "big")
        if size is not None and code == 0xDA and data.endswith(b"\xff\xd9"):
            return size, True  # spares the search through the compressed data
    return size, False
