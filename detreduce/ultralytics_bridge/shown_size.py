"""The size of an image as ultralytics sees it: after the rotation in its EXIF data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.errors import ImageReadError
from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.image_files import check_pages, check_pixels, decoding

if TYPE_CHECKING:
    import PIL.Image

_ORIENTATION = 274
_TURNED = (5, 6, 7, 8)
# images in these formats are always rotated; whether a TIFF or WebP is rotated also depends on the version of OpenCV
_ALWAYS_TURNED = ("JPEG", "MPO", "PNG", "AVIF")


def shown_size(image: PIL.Image.Image, path: Path) -> tuple[int, int]:
    """Return the (width, height) in pixels of an image after the rotation in its EXIF data, as ultralytics computes it.

    `image` is the opened image, and `path` is its file. For most images, only the header is read. A rotated TIFF or
    WebP image is decoded, because ultralytics decodes it too.
    """
    width, height = image.size
    if _orientation(image) not in _TURNED:
        return width, height
    if image.format in _ALWAYS_TURNED:
        return height, width
    from ultralytics.utils.patches import imread

    try:
        check_pixels(width, height)
        check_pages(image)
    except ImageReadError as error:
        raise OSError(str(error)) from None
    with decoding(width * height), quiet_decoders():
        pixels = imread(path)
    return (width, height) if pixels is None else (pixels.shape[1], pixels.shape[0])


def _orientation(image: PIL.Image.Image) -> object:
    """Return the EXIF orientation (1 to 8), or None if the image has none or if it cannot be read."""
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # broken EXIF data makes Pillow raise almost any error
        return None
