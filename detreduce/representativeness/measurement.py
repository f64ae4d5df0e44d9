"""The result of a measure: a number, how it was obtained, and a number to compare it with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measured number and how it was obtained.

    Attributes
    ----------
    value
        The measured number.
    images, kept
        Number of images of the full set, and of kept images, that were used.
    exact
        True if these are all images; if False, they were drawn with `seed`.
    seed
        Seed of every draw; None if nothing was drawn.
    at_random
        Value for a random selection of the same size, for comparison; None if unknown.
    """

    value: float
    images: int
    kept: int
    exact: bool = True
    seed: int | None = None
    at_random: float | None = None
