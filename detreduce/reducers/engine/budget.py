"""How many images to keep, and how the seats are given to the categories."""

from __future__ import annotations

import math
import numbers

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError

IntArray = npt.NDArray[np.int64]


def check_keep(keep: int | float) -> None:
    """Raise InputError for a `keep` that no dataset allows: no number, a fraction outside (0, 1], a count below 1."""
    if isinstance(keep, (bool, np.bool_)) or not isinstance(keep, numbers.Real):
        raise InputError(f"keep={keep!r} is not a number: give a count (25) or a fraction (0.25).")
    if isinstance(keep, numbers.Integral):
        if keep < 1:
            raise InputError(f"keep={int(keep)}: at least one image must be kept; give a count from 1 on.")
        return
    fraction = float(keep)
    if not 0.0 < fraction <= 1.0:
        hint = f" For a count, write {int(fraction)}." if fraction > 1 and fraction.is_integer() else ""
        raise InputError(f"keep={keep!r} is not a fraction in (0, 1].{hint}")


def resolve_keep(keep: int | float, n: int) -> int:
    """Return the number of images that `keep` asks for out of `n`.

    An integer is a count (1 = one image). A float is a fraction in (0, 1], and means floor(keep * n + 0.5) in float64,
    at least 1.

    Raises
    ------
    InputError
        For a bool, anything that is not a number, a fraction outside (0, 1], a count outside 1..n, or n = 0.
    """
    if n < 1:
        raise InputError("There are no images to choose from.")
    check_keep(keep)
    if isinstance(keep, numbers.Integral):
        if keep > n:
            raise InputError(f"keep={int(keep)} images was asked, but there are {n}: give a count from 1 to {n}.")
        return int(keep)
    fraction = float(keep)
    return max(1, math.floor(fraction * n + 0.5))


def seat_sequence(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Give `k` seats to categories one at a time; return the (k,) category numbers in that order.

    First one seat to each category, largest first; then always to the category with the largest n_c / (2 k_c + 1) that
    still has images (Webster's rule). Ties go to the larger category, then to the lower number. The sequence for a
    smaller `k` is a prefix of this one.

    Parameters
    ----------
    counts
        (C,) images in each category; a category of 0 gets no seat.
    k
        Seats to give, those of `initial` not counted.
    initial
        (C,) seats that each category holds already.

    Raises
    ------
    InputError
        Where there are fewer free images than seats.
    """
    sizes = np.asarray(counts, np.int64)
    held = np.zeros_like(sizes) if initial is None else np.asarray(initial, np.int64)
    # Priorities of one category only fall, so taking the best one each time is the same as sorting them all.
    category, before = _free_seats(sizes, held, k)
    size = sizes[category]
    # Correctly rounded quotients of integers below 2^25 are equal only where the fractions are.
    quotient = np.where(before == 0, np.inf, size / (2.0 * before + 1.0))
    return category[np.lexsort((category, -size, -quotient))[:k]]


def allot_seats(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Return the (C,) number of seats that each category gets of `k`, without those of `initial`; see seat_sequence."""
    return np.bincount(seat_sequence(counts, k, initial), minlength=len(np.asarray(counts))).astype(np.int64)


def equal_shares(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Give `k` seats in turns, one to each group that still has images, larger ones first; return them in order.

    Parameters and errors are those of seat_sequence; the sequence for a smaller `k` is a prefix here too.
    """
    sizes = np.asarray(counts, np.int64)
    held = np.zeros_like(sizes) if initial is None else np.asarray(initial, np.int64)
    group, before = _free_seats(sizes, held, k)
    return group[np.lexsort((group, -sizes[group], before))[:k]]


def occurrence(sequence: IntArray) -> IntArray:
    """Return how often each entry of a sequence of seats has come before in it."""
    order = np.argsort(sequence, kind="stable")
    counts = np.bincount(sequence) if len(sequence) else np.zeros(0, np.int64)
    before = np.empty(len(sequence), np.int64)
    before[order] = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
    return before


def _free_seats(sizes: IntArray, held: IntArray, k: int) -> tuple[IntArray, IntArray]:
    """Return for every free image its category's number, and the seats that the category has when its turn comes."""
    free = sizes - held
    if k > free.sum() or (free < 0).any():
        raise InputError(f"{k} seats were asked for {int(free.clip(0).sum())} free images.")
    category = np.repeat(np.arange(len(sizes)), free)
    before = np.arange(len(category)) - np.repeat(np.cumsum(free) - free, free) + np.repeat(held, free)
    return category, before
