"""The number of images to keep, and its seats for each category."""

from __future__ import annotations

import math
import numbers

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError

IntArray = npt.NDArray[np.int64]


def check_keep(keep: int | float) -> None:
    """Raise InputError for a `keep` that fits no dataset: not a number, a fraction outside (0, 1], a count below 1."""
    if isinstance(keep, (bool, np.bool_)) or not isinstance(keep, numbers.Real):
        raise InputError(f"keep={keep!r} is not a number: give a count (25) or a fraction (0.25).")
    if isinstance(keep, numbers.Integral):
        if keep < 1:
            raise InputError(f"keep={int(keep)} is too small: give a count of at least 1.")
        return
    fraction = float(keep)
    if not 0.0 < fraction <= 1.0:
        hint = f" For a count, write {int(fraction)}." if fraction > 1 and fraction.is_integer() else ""
        raise InputError(f"keep={keep!r} is not a fraction in (0, 1].{hint}")


def resolve_keep(keep: int | float, n: int) -> int:
    """Return the number of images to keep out of `n`.

    An integer `keep` is a count (1 = one image). A float is a fraction in (0, 1]; it gives floor(keep * n + 0.5) in
    float64, at least 1.

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
            raise InputError(f"keep={int(keep)} is more than the {n} images: give a count from 1 to {n}.")
        return int(keep)
    fraction = float(keep)
    return max(1, math.floor(fraction * n + 0.5))


def seat_sequence(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Give `k` seats to categories one at a time; return the (k,) category numbers in that order.

    Every category gets one seat first, the largest category before the others. Each further seat goes to the category
    with the largest n_c / (2 k_c + 1) that still has images (Webster's rule). Ties go to the larger category, then to
    the lower number. The sequence for a smaller `k` is a prefix of this one.

    Parameters
    ----------
    counts
        (C,) number of images in each category; a category of 0 gets no seat.
    k
        Number of seats to give, without those of `initial`.
    initial
        (C,) number of seats that each category has already.

    Raises
    ------
    InputError
        If there are fewer free images than seats.
    """
    sizes = np.asarray(counts, np.int64)
    given = np.zeros_like(sizes) if initial is None else np.asarray(initial, np.int64)
    # priorities of one category only fall, so sorting them all is the same as taking the best one each time
    category, before = _free_seats(sizes, given, k)
    size = sizes[category]
    # correctly rounded quotients of integers below 2^25 are equal only if the fractions are
    quotient = np.where(before == 0, np.inf, size / (2.0 * before + 1.0))
    return category[np.lexsort((category, -size, -quotient))[:k]]


def allot_seats(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Return the (C,) number of the `k` seats that each category gets; see `seat_sequence`."""
    return np.bincount(seat_sequence(counts, k, initial), minlength=len(np.asarray(counts))).astype(np.int64)


def equal_shares(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Give `k` seats in turns, one to each group that still has images, larger groups first; return them in order.

    Parameters and errors are those of `seat_sequence`. The sequence for a smaller `k` is a prefix here too.
    """
    sizes = np.asarray(counts, np.int64)
    given = np.zeros_like(sizes) if initial is None else np.asarray(initial, np.int64)
    group, before = _free_seats(sizes, given, k)
    return group[np.lexsort((group, -sizes[group], before))[:k]]


def occurrence(sequence: IntArray) -> IntArray:
    """Return for each entry of a sequence how often the same entry comes before it."""
    order = np.argsort(sequence, kind="stable")
    counts = np.bincount(sequence) if len(sequence) else np.zeros(0, np.int64)
    before = np.empty(len(sequence), np.int64)
    before[order] = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
    return before


def _free_seats(sizes: IntArray, given: IntArray, k: int) -> tuple[IntArray, IntArray]:
    """Return for every free image its category, and the number of seats that the category has at its turn."""
    free = sizes - given
    if k > free.sum() or (free < 0).any():
        raise InputError(f"There are {int(free.clip(0).sum())} free images for {k} seats.")
    category = np.repeat(np.arange(len(sizes)), free)
    before = np.arange(len(category)) - np.repeat(np.cumsum(free) - free, free) + np.repeat(given, free)
    return category, before
