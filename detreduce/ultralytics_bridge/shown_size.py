"""The size of an image as ultralytics sees it, after the EXIF rotation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.errors import ImageReadError
from detreduce.machine.decoder_messages import decode_quietly
from detreduce.machine.image_files import check_pages, check_pixels, decoding

if TYPE_CHECKING:
    import PIL.Image

_ORIENTATION = 274
_TURNED = (5, 6, 7, 8)
# for these formats, the rotation depends only on the format; for TIFF and WebP, also on the version of OpenCV
_ALWAYS_TURNED = ("JPEG", "MPO", "PNG", "AVIF")


def shown_size(image: PIL.Image.Image, path: Path) -> tuple[int, int]:
    """Return (width, height) of an open image in pixels, as in ultralytics' `exif_size`. `path` is the image's file.

    Only the header is read. A rotated TIFF or WebP image is decoded, as in ultralytics.
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
    with decoding(width * height):
        pixels = decode_quietly(lambda: imread(path))
    return (width, height) if pixels is None else (pixels.shape[1], pixels.shape[0])


def _orientation(image: PIL.Image.Image) -> object:
    """Return the EXIF orientation, or None if there is none or if it cannot be read."""
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # for broken EXIF data, Pillow raises almost any error
        return None
