"""Align two small pictures and measure how similar they are."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.duplicates.pixels.signatures import SIDE

COARSE = SIDE // 2
SHIFT, SCALE, SHEAR = 0.12, 0.15, 0.05
"""The largest shift, scaling and shear that an alignment may have, as fractions of a side.

They allow a crop by 10 %.
"""

HOPELESS = 0.3
"""Two pictures are compared at full size only if their similarity at half size is at least this high."""

_SIGMA = 2.0
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-4)
_EDGE = 2

Picture = npt.NDArray[np.float32]

_IDENTITY: Picture = np.eye(2, 3, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Overlay:
    """Two pictures after they were aligned.

    Attributes
    ----------
    similarity
        The correlation between the details of the two pictures, from -1 to 1.
    overlap
        The fraction of the first picture that the second picture also shows.
    """

    similarity: float
    overlap: float


NOTHING = Overlay(0.0, 0.0)


def overlay(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> Overlay:
    """Align two (64, 64) pictures and compare the part that both of them show.

    The alignment is the affine map that maximises the correlation coefficient (Evangelidis and Psarakis 2008,
    `cv2.findTransformECC`). It is first computed at half size. `similarity` is the correlation between the details of
    the two pictures where they overlap. The details are the picture minus its Gaussian blur (with a sigma of 2 pixels).
    The blur is subtracted because even unrelated pictures can have similar large bright and dark areas.
    """
    one, other = first.astype(np.float32), second.astype(np.float32)
    small, small_other = _halve(one), _halve(other)
    warp, coarse = _refine(small, small_other, _IDENTITY, _SIGMA / 2)
    if warp is None:
        start = max(_STARTS, key=lambda start: _compare(small, small_other, start, _SIGMA / 2).similarity)
        warp, coarse = _refine(small, small_other, start, _SIGMA / 2)
        warp = start if warp is None else warp
    if coarse.similarity < HOPELESS:
        return NOTHING
    finer = warp.copy()
    finer[:, 2] *= 2
    return _refine(one, other, finer, _SIGMA)[1]


def unaligned_similarity(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Return the correlation of the details of two (64, 64) pictures without alignment, as for a fixed camera."""
    return _compare(first.astype(np.float32), second.astype(np.float32), _IDENTITY, _SIGMA).similarity


def _refine(one: Picture, other: Picture, start: Picture, sigma: float) -> tuple[Picture | None, Overlay]:
    """Try to improve the map `start`. Return the better of the two maps, and the overlay of the pictures with that map.

    If the alignment fails, return None and the overlay with `start`.
    """
    before = _compare(one, other, start, sigma)
    warp = _align(one, other, start)
    if warp is None:
        return None, before
    after = _compare(one, other, warp, sigma)
    return (warp, after) if after.similarity >= before.similarity else (start, before)


def _starting_maps() -> tuple[Picture, ...]:
    """Return the maps from which the alignment at half size may start.

    The first one is the identity. The others assume that one of the two pictures was cropped to 95 % of its sides, at
    one of nine positions.
    """
    starts = [_IDENTITY]
    for scale in (0.95, 1 / 0.95):
        room = (1 - scale) * (COARSE - 1)
        for x in (0.0, 0.5, 1.0):
            for y in (0.0, 0.5, 1.0):
                starts.append(np.array([[scale, 0, x * room], [0, scale, y * room]], np.float32))
    return tuple(starts)


def _halve(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, (COARSE, COARSE), interpolation=cv2.INTER_AREA), np.float32)


def _align(one: Picture, other: Picture, warp: Picture) -> Picture | None:
    """Return the affine map (2, 3) from `one` to `other`, or None if there is no such map within the allowed limits."""
    try:
        _, warp = cv2.findTransformECC(one, other, warp.copy(), cv2.MOTION_AFFINE, _STEPS, None, 5)  # type: ignore[call-overload]
    except cv2.error:  # the alignment did not converge
        return None
    linear = warp[:, :2]
    centre = (len(one) - 1) / 2
    shift = linear @ [centre, centre] + warp[:, 2] - centre
    stretched = np.abs(np.diag(linear) - 1).max() > SCALE
    sheared = max(abs(linear[0, 1]), abs(linear[1, 0])) > SHEAR
    return None if stretched or sheared or np.abs(shift).max() > SHIFT * len(one) else warp


def _compare(one: Picture, other: Picture, warp: Picture, sigma: float) -> Overlay:
    """Overlay two pictures with the map `warp` from `one` to `other`, and measure the result."""
    size = (len(one), len(one))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(other, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = np.zeros_like(other)
    inside[_EDGE:-_EDGE, _EDGE:-_EDGE] = 1.0
    shared = cv2.warpAffine(inside, warp, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP) > 0.5
    shared[:_EDGE], shared[-_EDGE:], shared[:, :_EDGE], shared[:, -_EDGE:] = False, False, False, False
    a, b = _details(one, sigma)[shared], _details(np.asarray(moved), sigma)[shared]
    if not a.size:
        return NOTHING
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a @ a) * (b @ b)))
    full = (len(one) - 2 * _EDGE) ** 2
    return Overlay(float(a @ b) / power if power > 0 else 0.0, float(shared.sum()) / full)


def _details(picture: Picture, sigma: float) -> Picture:
    return picture - np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma))


_STARTS = _starting_maps()
