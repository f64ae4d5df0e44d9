"""What a measure returns: a number, how it was obtained, and what to compare it with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One number and how it was obtained.

    Attributes
    ----------
    value
        The measure itself.
    images, kept
        Images of the full set, and kept ones, that were looked at.
    exact
        Whether these are all of them; if not, they were drawn with `seed`.
    seed
        Seed of every draw; None where nothing was drawn.
    at_random
        What as many images drawn at random give, for comparison; None where that is not known.
    """

    value: float
    images: int
    kept: int
    exact: bool = True
    seed: int | None = None
    at_random: float | None = None
