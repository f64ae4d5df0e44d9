"""Describe a picture by a few cosine coefficients, which are similar for near-duplicates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.duplicates.pixels.orientations import ORIENTATIONS
from detreduce.duplicates.pixels.signatures import SIDE

REACH = 8
"""A descriptor uses frequencies below this number of half waves per side.

Cropping changes higher frequencies too much.
"""

FLAT = 1.0
"""A picture whose grey values have a smaller standard deviation counts as plain, and never matches another picture."""

_ROWS = 512

Floats = npt.NDArray[np.float32]


def _frequencies() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the row frequencies and the column frequencies of the coefficients in a descriptor."""
    rows, columns = np.mgrid[:REACH, :REACH].reshape(2, -1)
    used = (np.hypot(rows, columns) < REACH) & (rows + columns > 0)
    return rows[used], columns[used]


_U, _V = _frequencies()
# natural pictures have less power at higher frequencies, so that one or two coefficients would dominate without weights
_WEIGHTS = np.hypot(_U, _V).astype(np.float32)


def describe(pixels: npt.NDArray[np.uint8]) -> Floats:
    """Compute the descriptors of (n, 64, 64) grey pictures: (n, d) float32, rows of length 1.

    A descriptor does not change with brightness or contrast. The descriptor of a plain picture is all zeros.
    """
    # importing it takes 0.3 s, and a search for exact duplicates does not need it
    from scipy.fft import dct

    basis = dct(np.eye(SIDE), norm="ortho", axis=0)[:REACH].astype(np.float32)
    described = np.empty((len(pixels), len(_U)), np.float32)
    for start in range(0, len(pixels), _ROWS):
        part = pixels[start : start + _ROWS].astype(np.float32)
        rows = (basis @ part @ basis.T)[:, _U, _V] * _WEIGHTS
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        plain = (part.std(axis=(1, 2))[:, None] < FLAT) | (norms == 0)
        described[start : start + _ROWS] = np.where(plain, 0.0, rows / np.where(plain, 1.0, norms))
    return described


def in_all_orientations(rows: Floats) -> Floats:
    """Return the descriptors that the pictures would have in each of the `ORIENTATIONS`, (8, n, d)."""
    turned = np.empty((len(ORIENTATIONS), *rows.shape), np.float32)
    for number, orientation in enumerate(ORIENTATIONS):
        places, signs = orientation.on_coefficients(_U, _V)
        turned[number] = rows[:, places] * signs
    return turned
