"""The result of one measure: a value, how it was measured, and a value to compare it with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measured value and how it was measured.

    Attributes
    ----------
    value
        The measured value.
    images
        Number of images of the full set that were used.
    kept
        Number of kept images that were used.
    exact
        True if all images were used. False if random samples were used.
    seed
        Seed of the random samples. None if nothing was random.
    at_random
        Value of the measure for a random selection of the same size, for comparison. None if it is unknown.
    """

    value: float
    images: int
    kept: int
    exact: bool = True
    seed: int | None = None
    at_random: float | None = None
