"""The result of one measure: its value, how it was computed, and a value to compare it with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measured value, and how it was measured.

    Attributes
    ----------
    value
        The measured value.
    images
        Number of images in the full set that were used.
    kept
        Number of kept images that were used.
    exact
        Whether all images were used. If not, random samples were used.
    seed
        Seed of the random samples. None if nothing was random.
    at_random
        Value of the measure for a random selection of the same size, for comparison. None if it is not known.
    """

    value: float
    images: int
    kept: int
    exact: bool = True
    seed: int | None = None
    at_random: float | None = None
