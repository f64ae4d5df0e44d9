"""Corrupt an image with noise, blur, brightness or JPEG artefacts, each in three severities.

The formulas and constants are from Hendrycks and Dietterich (arXiv 1903.12261: Gaussian noise, defocus blur,
brightness, JPEG). Michaelis et al. (arXiv 1907.07484) use the same formulas for detectors, on images of their original
size.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError, nearest
from detreduce.vocabulary.corruptions import CORRUPTIONS, SEVERITIES, Corruption

Pixels = npt.NDArray[np.uint8]
NOISE = {1: 0.08, 3: 0.18, 5: 0.38}
"""Severity -> standard deviation of the noise, where white is 1."""
BLUR = {1: (3, 0.1), 3: (6, 0.5), 5: (10, 0.5)}
"""Severity -> (radius of the disk in pixels, standard deviation of the Gaussian that smooths its edge)."""
BRIGHTNESS = {1: 0.1, 3: 0.3, 5: 0.5}
"""Severity -> amount that is added to the brightness (V of HSV), where white is 1."""
JPEG = {1: 25, 3: 15, 5: 7}
"""Severity -> JPEG quality, from 0 (worst) to 100."""
ALL = "all"


def check_corruptions(given: Iterable[str] | str | None) -> tuple[Corruption, ...]:
    """Return the names of corruptions in their usual order and without repetitions. ``all`` means all of them.

    `given` is a list of names, or a string of names that are separated by commas. Raise InputError if a name is not
    known.
    """
    if given is None:
        return ()
    if not isinstance(given, str | Iterable):
        raise InputError(f"corruptions={given!r} is not a list of names, such as [noise, blur].")
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)
    for name in names:
        if name not in CORRUPTIONS and name != ALL:
            known = (*CORRUPTIONS, ALL)
            raise InputError(f"corruptions: {name!r} is not one of {', '.join(known)}.{nearest(str(name), known)}")
    return tuple(name for name in CORRUPTIONS if name in names or ALL in names)


def corrupt(image: Pixels, corruption: Corruption, severity: int, name: str = "") -> Pixels:
    """Return a corrupted copy of an image.

    Parameters
    ----------
    image
        (h, w, 3) uint8 in BGR or RGB, or (h, w, 1) for grey.
    corruption
        One of `CORRUPTIONS`.
    severity
        One of `SEVERITIES`. 5 is the worst.
    name
        Name of the image. The noise depends only on the name, the size and the severity, so the same image always gets
        the same noise.

    Raises
    ------
    InputError
        The image has neither one nor three channels.
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise InputError(
            f"Corruptions are for images with one or three channels, but {name or 'an image'} has the shape "
            f"{image.shape}. Leave out corruptions."
        )
    assert severity in SEVERITIES
    if corruption == "jpeg":
        return _compress(image, JPEG[severity])
    seed = [zlib.crc32(name.encode()), severity]
    worse = _FLOATS[corruption](image.astype(np.float32) / np.float32(255), severity, np.random.default_rng(seed))
    # the published code truncates, and does not round
    return (np.clip(worse, 0, 1) * 255).astype(np.uint8).reshape(image.shape)


def _add_noise(image: npt.NDArray[np.float32], severity: int, rng: np.random.Generator) -> Any:
    return image + NOISE[severity] * rng.standard_normal(image.shape, dtype=np.float32)


def _blur(image: npt.NDArray[np.float32], severity: int, _: np.random.Generator) -> Any:
    import cv2

    return cv2.filter2D(image, -1, disk(*BLUR[severity]))


def disk(radius: int, smooth: float) -> npt.NDArray[np.float32]:
    """Return the (k, k) kernel of a lens that is out of focus, which is a disk with a smooth edge.

    The kernel sums to 1. The kernel with the largest radius is an exception and sums to 1.01, because the published
    kernel has no margin for the smooth edge.
    """
    import cv2

    reach = np.arange(-max(8, radius), max(8, radius) + 1)
    inside = (reach[:, None] ** 2 + reach[None, :] ** 2 <= radius**2).astype(np.float32)
    side = 3 if radius <= 8 else 5
    smoothed: npt.NDArray[np.float32] = cv2.GaussianBlur(inside / inside.sum(), (side, side), smooth)
    return smoothed


def _brighten(image: npt.NDArray[np.float32], severity: int, _: np.random.Generator) -> Any:
    """Increase the brightness of each pixel. The brightness is V of HSV, which is the largest of the three channels.

    All channels of a pixel are multiplied by the same factor, so that hue and saturation do not change.
    """
    value = image.max(axis=2, keepdims=True)
    brighter = np.minimum(value + BRIGHTNESS[severity], 1)
    # black has no hue, so it becomes grey
    return np.where(value > 0, image * (brighter / np.where(value > 0, value, 1)), brighter)


def _compress(image: Pixels, quality: int) -> Pixels:
    import cv2

    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    flag = cv2.IMREAD_COLOR if image.shape[2] == 3 else cv2.IMREAD_GRAYSCALE
    worse: Pixels = np.asarray(cv2.imdecode(data, flag), np.uint8).reshape(image.shape)
    return worse


_FLOATS: dict[str, Callable[[npt.NDArray[np.float32], int, np.random.Generator], Any]] = {
    "noise": _add_noise,
    "blur": _blur,
    "brightness": _brighten,
}
