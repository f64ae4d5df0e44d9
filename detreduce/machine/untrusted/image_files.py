"""Open image files from untrusted sources: only known formats, and only images below a limit on the pixels."""

from __future__ import annotations

import io
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detreduce.errors import ImageReadError, InputError
from detreduce.machine.untrusted.regular_files import open_regular

if TYPE_CHECKING:
    import PIL.Image

MAX_PIXELS = 178_956_970
"""The default limit. Pillow refuses larger images, and therefore so does ultralytics."""
LONGEST_SIDE = 1 << 20
"""The longest side in pixels that OpenCV, and therefore ultralytics, can read.

For a longer side, Pillow would need far more memory for each row.
"""
VARIABLE = "DETREDUCE_MAX_PIXELS"

# Pillow knows more formats, but no trainer reads them, and one of them (EPS) starts another program to decode
_FORMATS = ("JPEG", "MPO", "PNG", "BMP", "DIB", "TIFF", "WEBP", "JPEG2000", "AVIF", "HEIF", "GIF", "PPM")
_FIRST_BYTES = re.compile(
    rb"\xff\xd8|\x89PNG\r\n\x1a\n|GIF8[79]a|BM.{4}\0\0\0\0|II\*\0|MM\0\*|II\+\0|MM\0\+|RIFF.{4}WEBP"
    rb"|.{4}ftyp(?:avi[fs]|hei[cfmsx]|hev[cmsx]|mif1|msf1)|\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51|P[1-6]\s",
    re.DOTALL,
)
HEAD = 32
"""The number of bytes at the start of a file that `starts_like_image` needs."""


def pixel_limit() -> int:
    """Return the largest number of pixels that an image may have to be decoded.

    It is 178,956,970, unless the environment variable DETREDUCE_MAX_PIXELS sets another limit.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return MAX_PIXELS
    try:
        return check_limit(int(text))
    except ValueError:
        raise InputError(f"{VARIABLE}={text!r} is not a number of pixels. Use a whole number of at least 1.") from None


def check_limit(pixels: int) -> int:
    """Return the limit unchanged. Raise InputError if it is below 1."""
    if pixels < 1:
        raise InputError(f"A limit of {pixels} pixels is not allowed. Use a whole number of at least 1.")
    return pixels


def check_pixels(width: int, height: int) -> None:
    """Raise ImageReadError if an image of this size has more pixels than the limit, or a side longer than
    `LONGEST_SIDE`.
    """
    if max(width, height) > LONGEST_SIDE:
        raise ImageReadError(f"{width} x {height} pixels: a side is above the limit of {LONGEST_SIDE:,} pixels")
    limit = pixel_limit()
    if width * height > limit:
        raise ImageReadError(
            f"{width} x {height} pixels are above the limit of {limit:,} pixels; "
            f"if the image is correct, raise the limit (--max-pixels or {VARIABLE})"
        )


def check_pages(image: PIL.Image.Image) -> None:
    """Raise ImageReadError if the pages of a TIFF together have more pixels than the limit.

    The sum matters because ultralytics decodes all pages of a TIFF at once.
    """
    pages, pixels, limit = int(getattr(image, "n_frames", 1)), 0, pixel_limit()
    for page in range(pages):
        image.seek(page)
        pixels += image.width * image.height
        if pixels > limit:
            raise ImageReadError(f"the {pages:,} pages together are above the limit of {limit:,} pixels")
    image.seek(0)


def starts_like_image(head: bytes) -> bool:
    """Return whether `head`, the first bytes of a file, is the start of an image in a known format."""
    return _FIRST_BYTES.match(head) is not None


@contextmanager
def opened_image(source: Path | bytes) -> Iterator[PIL.Image.Image]:
    """Open an image with Pillow. `source` is the path or the bytes of an image file.

    Only the header is read, and Pillow's warnings are suppressed. Raise OSError if the file is not a regular file, or
    is not an image in a known format.
    """
    with (
        _quiet(),
        io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as file,
        _identify(file) as image,
    ):
        yield image


def _identify(file: Any) -> PIL.Image.Image:
    """Open an image with Pillow. Raise OSError if Pillow cannot identify it."""
    from PIL import Image

    limit = pixel_limit()
    if Image.MAX_IMAGE_PIXELS is not None and limit > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = limit
    Image.init()
    # call Pillow's own function, because ultralytics replaces Image.open by one that installs packages for unknown
    # files
    patched = sys.modules.get("ultralytics.utils.patches")
    try:
        image: PIL.Image.Image = getattr(patched, "_image_open", Image.open)(
            file, formats=[name for name in _FORMATS if name in Image.OPEN]
        )
    except OSError:
        raise
    except Exception as error:  # for a broken header, Pillow's plugins raise almost any kind of error
        raise OSError(str(error) or type(error).__name__) from None
    return image


class _Quiet:
    """A context manager that suppresses Pillow's warnings.

    Unlike `warnings.catch_warnings`, it works in several threads.
    """

    def __init__(self) -> None:
        self._blocks = 0
        self._lock = threading.Lock()
        self._saved = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._blocks:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module="PIL")
            self._blocks += 1
        try:
            yield
        finally:
            with self._lock:
                self._blocks -= 1
                if not self._blocks:
                    self._saved.__exit__(None, None, None)


_quiet = _Quiet()


class _Budget:
    """A budget of pixels that all threads share.

    All images that are decoded at the same time may together have no more pixels than the limit for a single image.
    """

    def __init__(self) -> None:
        self._pixels = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Wait until the budget has room for `pixels` more pixels, and reserve them for the duration of the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pixels or self._pixels + pixels <= pixel_limit())
            self._pixels += pixels
        try:
            yield
        finally:
            with self._changed:
                self._pixels -= pixels
                self._changed.notify_all()


decoding = _Budget().take
"""Reserves this number of pixels in the budget while an image is decoded: ``with decoding(pixels): ...``.

It waits as long as other threads use up the budget.
"""
