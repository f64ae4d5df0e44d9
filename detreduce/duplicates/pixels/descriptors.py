"""Describe a picture by a few cosine coefficients, which are similar for near-duplicates."""

from __future__ import annotations

from collections.abc import Callable

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
_COLUMNS = 512
_SLACK = 1e-4
"""The screen lets correlations pass that are lower than asked for by this much, because of rounding errors."""

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


_PARITIES = [np.flatnonzero((rows == _U % 2) & (columns == _V % 2)) for rows in (0, 1) for columns in (0, 1)]
"""The coefficients with even or odd row frequency, and with even or odd column frequency: four groups."""
_TRANSPOSED = next(
    turn for turn in ORIENTATIONS if turn.transpose and not turn.flip_rows and not turn.flip_columns
).on_coefficients(_U, _V)[0]


class OrientationScreen:
    """Tells quickly which pictures can correlate with one of several queries in any of the eight orientations.

    A flip of the rows only changes the sign of the coefficients with an odd row frequency. The same holds for columns.
    So the coefficients form four groups, and each group is multiplied once. The correlations in four orientations are
    sums and differences of these four products. They need a quarter of the multiplications of four separate
    correlations.
    """

    def __init__(self, rows: Floats) -> None:
        """Prepare the screen for the (n, d) descriptors of all pictures."""
        self._groups = [np.ascontiguousarray(rows[:, group]) for group in _PARITIES]

    def of(self, queries: Floats, least: float) -> Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]:
        """Return a function that gets numbers of pictures and returns (m,) bool: whether each one can match a query.

        A picture matches if its correlation with one of the (q, d) `queries`, in some orientation, is at least `least`.
        A few other pictures pass too.
        """
        both = np.concatenate([queries, queries[:, _TRANSPOSED]])
        asked = [np.ascontiguousarray(both[:, group]) for group in _PARITIES]

        def largest(places: npt.NDArray[np.int64]) -> Floats:
            """Return the largest correlation of each picture with a query, in any orientation."""
            products = [mine @ theirs[places].T for mine, theirs in zip(asked, self._groups, strict=True)]
            even, rows_odd, columns_odd, odd = products[0], products[2], products[1], products[3]
            same, flipped = rows_odd + columns_odd, rows_odd - columns_odd
            for mixed in (same, flipped):
                np.abs(mixed, out=mixed)
                mixed += even
            same += odd
            flipped -= odd
            return np.asarray(np.maximum(same, flipped, out=same).max(axis=0))

        def passes(places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
            """Return whether the largest correlation of each picture is high enough."""
            parts = (places[start : start + _COLUMNS] for start in range(0, len(places), _COLUMNS))
            return np.concatenate([largest(part) for part in parts]) >= least - _SLACK

        return passes
