"""Make thumbnails of images with their boxes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.image_files import check_pixels, decoding, opened_image
from detreduce.videos.reader import read_frame

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 128
"""The length of a thumbnail's longer side, in pixels."""
BOXES_DRAWN = 60
QUALITY = 70
OUTLINE = "#ff6d00"


def small_image(path: Path, side: int = SIDE) -> Image | None:
    """Return a small upright image whose longer side has at most `side` pixels, or None if the file cannot be read."""
    try:
        if (frame := read_frame(path)) is not None:
            from PIL import Image

            return _shrink(Image.fromarray(frame), side)
        with opened_image(path) as image:
            check_pixels(*image.size)
            with decoding(image.width * image.height), quiet_decoders():
                image.draft("RGB", (2 * side, 2 * side))
                small = _shrink(image, side)
    # for a broken file, Pillow's decoders can raise almost any error
    except Exception:
        return None
    return small


def _shrink(image: Image, side: int) -> Image:
    from PIL import ImageOps

    ImageOps.exif_transpose(image, in_place=True)
    small = image if image.mode == "RGB" else image.convert("RGB")
    small.thumbnail((side, side))
    return small


def as_jpeg(image: Image) -> bytes:
    """Return the image as a small JPEG file of low quality."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY, optimize=True)
    return content.getvalue()


def thumbnail(path: Path, corners: npt.NDArray[np.float64], side: int = SIDE) -> bytes | None:
    """Return a small upright JPEG of an image, or None if the image cannot be read.

    `corners` (m, 4) are the boxes to draw: x1, y1, x2, y2 as fractions of the upright image. Boxes that are NaN are
    skipped. At most `BOXES_DRAWN` boxes are drawn.
    """
    from PIL import ImageDraw

    small = small_image(path, side)
    if small is None:
        return None
    pen = ImageDraw.Draw(small)
    known = np.sort(corners[np.isfinite(corners).all(axis=1)][:BOXES_DRAWN].reshape(-1, 2, 2), axis=1)
    for box in (np.clip(known, 0, 1) * (small.width - 1, small.height - 1)).reshape(-1, 4).tolist():
        pen.rectangle(box, outline=OUTLINE)
    return as_jpeg(small)
