"""Decode image files to arrays, refusing truncated files, and resize the arrays for a network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.errors import ImageReadError
from detreduce.images.frame import WHOLE, Frame, reduced_frame
from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.image_files import check_pixels, decoding, opened_image
from detreduce.machine.untrusted.regular_files import IMAGES, read_regular
from detreduce.videos.reader import read_frame

if TYPE_CHECKING:
    import PIL.Image

RGB = npt.NDArray[np.uint8]
PAD_VALUE = 114  # the grey that ultralytics' letterbox uses
EMPTY_FILE = "the file is empty"
_JPEG_START = b"\xff\xd8"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# versions of OpenCV before 4.11 can only decode to BGR
_COLOUR: int = getattr(cv2, "IMREAD_COLOR_RGB", cv2.IMREAD_COLOR)
_FLAGS: dict[int, int] = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: _COLOUR,
}
_ORIENTATION = 0x0112
_STRIP = 1 << 22
"""Number of pixels that are converted at a time."""


@dataclass(frozen=True)
class Preprocess:
    """The steps that turn a decoded image into a network's input.

    Attributes
    ----------
    imgsz
        The size of the input in pixels: the length of the longer side for ``letterbox``, or of both sides for
        ``stretch``.
    shape
        ``letterbox`` keeps the aspect ratio and pads each side with grey 114 to a multiple of `stride`, as ultralytics
        does for a single image. The image is centred. ``stretch`` resizes the whole image to a square, without
        cropping, because objects can be at the border.
    mean, std
        Mean and standard deviation of each RGB channel, for pixels from 0 to 255. The input is (pixel - mean) / std.
    stride
        Both sides of a letterboxed image are multiples of this number of pixels.
    """

    imgsz: int
    shape: Literal["letterbox", "stretch"]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    stride: int = 32

    @property
    def key(self) -> str:
        """A text with all settings that determine the pixels of the input. It is part of the cache key."""
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
        """Resize an (h, w, 3) uint8 image to the size of the network's input.

        The result is uint8, not yet normalised.
        """
        if self.shape == "stretch":
            return _resize(image, self.imgsz, self.imgsz)
        height, top, bottom = self._letterboxed(image.shape[0], max(image.shape[:2]))
        width, left, right = self._letterboxed(image.shape[1], max(image.shape[:2]))
        image = _resize(image, height, width)
        if not any((top, bottom, left, right)):
            return image
        return cv2.copyMakeBorder(  # type: ignore[return-value]
            image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(PAD_VALUE,) * 3
        )

    def frame(self, height: int, width: int) -> Frame:
        """Return where an image of this height and width in pixels is placed inside the network's input."""
        if self.shape == "stretch":
            return WHOLE
        rows, top, bottom = self._letterboxed(height, max(height, width))
        columns, left, right = self._letterboxed(width, max(height, width))
        high, wide = top + rows + bottom, left + columns + right
        return Frame(left / wide, top / high, (left + columns) / wide, (top + rows) / high)

    def _letterboxed(self, side: int, longest: int) -> tuple[int, int, int]:
        """Return the scaled side, the padding before it and the padding after it, in pixels."""
        scaled = max(1, round(side * (self.imgsz / longest)))
        padding = -scaled % self.stride
        # if the padding is odd, the extra pixel goes below or to the right, as in ultralytics
        before = round(padding / 2 - 0.1)
        return scaled, before, padding - before


def _resize(image: RGB, height: int, width: int) -> RGB:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def decode(data: bytes | RGB, *, longest: int | None = None, shortest: int | None = None) -> RGB:
    """Decode the bytes of an image file to an (h, w, 3) uint8 RGB array, and apply the EXIF rotation as ultralytics
    does.

    If `data` is an array, for instance a frame of a video, it is returned unchanged.

    Grey, palette, 16-bit and transparent images become 8-bit RGB. A 16-bit value is cut to its upper 8 bits, and the
    alpha channel is dropped. If `longest` is given, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size. Its longer
    side then still has at least `longest` pixels, and its shorter side at least `shortest` pixels.

    A JPEG that has its end marker may still be damaged inside. libjpeg fills in damaged parts without an error, so this
    function does not detect such damage. `check_images` does. `quiet_decoders` tells whether libjpeg printed a message.

    Raises
    ------
    ImageReadError
        The file is empty, truncated or not an image. A JPEG or PNG without its end marker counts as truncated.
    """
    return decode_framed(data, longest=longest, shortest=shortest)[0]


def why_unreadable(path: Path) -> str:
    """Return why an image file cannot be read or decoded, or an empty string if it can."""
    try:
        if read_frame(path) is None:
            decode(read_regular(path, IMAGES))
    except OSError as error:
        return error.strerror or str(error)
    except (ImageReadError, cv2.error, MemoryError) as error:
        return str(error)
    return ""


def decode_framed(data: bytes | RGB, *, longest: int | None = None, shortest: int | None = None) -> tuple[RGB, Frame]:
    """Decode an image like `decode`, and also return where the picture is inside the array.

    If a JPEG is decoded at a reduced size, its picture may cover only part of the last column and row (see
    `reduced_frame`).
    """
    if isinstance(data, np.ndarray):
        return data, WHOLE
    if not data:
        raise ImageReadError(EMPTY_FILE)
    size, divisor, needed = None, 1, 0
    if data.startswith(_JPEG_START):
        size, whole, progressive = _walk_jpeg(data)
        if not whole:
            raise ImageReadError("truncated JPEG (no end marker)")
        divisor = _reduction(size, longest, shortest)
        if size is not None:
            # libjpeg keeps a progressive JPEG in memory at its full size
            needed = size[0] * size[1] // (1 if progressive else divisor**2)
    elif data.startswith(_PNG_START):
        if b"IEND\xaeB`\x82" not in data[-1024:]:
            raise ImageReadError("truncated PNG (no end chunk)")
        stated = (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
        check_pixels(*stated)
        needed = stated[0] * stated[1]
    else:
        return _decode_other(data), WHOLE
    if size is not None:
        check_pixels(*size)
    with decoding(needed):
        image = _decode_opencv(data, _FLAGS[divisor])
    if image is None:
        return _decode_pillow(data), WHOLE
    if size is None or not (size[0] % divisor or size[1] % divisor):
        return image, WHOLE
    return image, reduced_frame(*size, divisor, _orientation(data))


def _decode_opencv(data: bytes, flag: int) -> RGB | None:
    """Decode an image to RGB with OpenCV. Return None if OpenCV cannot decode it."""
    try:
        with quiet_decoders():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:  # OpenCV raises an error for images over its size limit
        return None
    if image is None or flag == getattr(cv2, "IMREAD_COLOR_RGB", None):
        return image  # type: ignore[return-value]
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)  # type: ignore[return-value]


def _decode_other(data: bytes) -> RGB:
    # Pillow raises an error for a truncated file, whereas some versions of OpenCV fill the missing parts with black
    return _decode_pillow(data, prefer_opencv=True)


def _orientation(data: bytes) -> int:
    """Return the EXIF orientation, from 1 to 8. If the file has none, return 1, which means no rotation."""
    try:
        with opened_image(data) as image:
            return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow's plugins raise many kinds of errors, and OpenCV has been able to read the image
        return 1


def _decode_pillow(data: bytes, *, prefer_opencv: bool = False) -> RGB:
    """Decode an image to RGB with Pillow. Raise ImageReadError if Pillow cannot decode it.

    If `prefer_opencv` is True and OpenCV can decode the image as well, return OpenCV's array.
    """
    from PIL import Image, ImageOps

    try:
        with opened_image(data) as image:
            check_pixels(*image.size)
            with decoding(image.width * image.height):
                with quiet_decoders():
                    image.load()
                if prefer_opencv and (other := _decode_opencv(data, _COLOUR)) is not None:
                    return other
                ImageOps.exif_transpose(image, in_place=True)
                return _to_array(image)
    except ImageReadError:
        raise
    except Image.UnidentifiedImageError:
        raise ImageReadError("not an image of a known format") from None
    except Exception as error:  # Pillow's plugins raise many kinds of errors
        raise ImageReadError(f"truncated or damaged ({str(error)[:80]})") from None


def _to_array(image: PIL.Image.Image) -> RGB:
    """Convert an image to an (h, w, 3) array strip by strip. A conversion in one piece would need more memory."""
    array = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        array[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)).convert("RGB"))
    return array


def _reduction(size: tuple[int, int] | None, longest: int | None, shortest: int | None) -> int:
    """Return by how much (1, 2, 4 or 8) a JPEG may be reduced while it is decoded."""
    if size is None or longest is None:
        return 1
    fits = (n for n in _FLAGS if max(size) >= n * longest and min(size) >= n * (shortest or 1))
    return next(fits, 1)


def _walk_jpeg(data: bytes) -> tuple[tuple[int, int] | None, bool, bool]:
    """Scan the markers of a JPEG. Return its size before rotation, whether it has its end marker, and if it is
    progressive.

    The size is (width, height), or None if the file does not state it. The end marker of a thumbnail inside an APP
    segment does not count, and bytes after the end marker are ignored.
    """
    size, progressive = None, False
    at = 2
    while (match := _MARKER.search(data, at)) is not None:
        code = match[1][0]
        if code == 0xD9:
            return size, True, progressive
        at = match.end()
        if code in (0x01, 0xD8):
            continue
        segment = data[at : at + 7]
        if len(segment) < 7:
            break
        if code in _FRAME_MARKERS and size is None:
            size = (int.from_bytes(segment[5:7], "big"), int.from_bytes(segment[3:5], "big"))
            progressive = code not in (0xC0, 0xC1)
        at += int.from_bytes(segment[:2], "big")
        if size is not None and code == 0xDA and data.endswith(b"\xff\xd9"):
            return size, True, progressive  # do not search through the compressed data
    return size, False, progressive
