"""The number of images to keep, and the quotas of image categories.

The quota of a category is the number of images to choose from it. A seat is one place in a quota.
"""

from __future__ import annotations

import math
import numbers

import numpy as np
import numpy.typing as npt

from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.vocabulary.keeps import how_to_write

IntArray = npt.NDArray[np.int64]


def check_keep(keep: int | float) -> None:
    """Raise InputError if `keep` is not a number, is a fraction outside (0, 1], or is a count below 1."""
    if isinstance(keep, (bool, np.bool_)) or not isinstance(keep, numbers.Real):
        raise InputError(f"keep={keep!r} is not a number. Use a count such as 25 or a fraction such as 0.25.")
    if isinstance(keep, numbers.Integral):
        if keep < 1:
            raise InputError(f"keep={int(keep)} is too small. Use a count of at least 1.")
        return
    fraction = float(keep)
    if not 0.0 < fraction <= 1.0:
        raise InputError(
            f"keep={keep!r} is neither a count nor a fraction above 0 and at most 1. {how_to_write(fraction)}"
        )


def resolve_keep(keep: int | float, n: int) -> int:
    """Return how many of `n` images to keep.

    An integer `keep` is a count, so 1 means one image. A float `keep` is a fraction in (0, 1]. The result is then
    floor(keep * n + 0.5), computed in float64, and at least 1.

    Raises
    ------
    InputError
        n is 0, or `keep` is not a number, a fraction outside (0, 1], or a count outside 1..n.
    """
    if n < 1:
        raise InputError("There are no images to choose from.")
    check_keep(keep)
    if isinstance(keep, numbers.Integral):
        if keep > n:
            raise InputError(f"keep={int(keep)} is more than the {counted(n, 'image')}. Use a count from 1 to {n}.")
        return int(keep)
    fraction = float(keep)
    return max(1, math.floor(fraction * n + 0.5))


def seat_sequence(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Distribute `k` seats over categories, one seat after the other. Return the (k,) category numbers of the seats.

    First, every category gets one seat. Larger categories come before smaller ones. Each further seat goes to the
    category with the largest n_c / (2 k_c + 1) (Webster's rule). Here n_c is the number of images of the category, and
    k_c is the number of seats that the category already has. Categories without further images are skipped. In a tie,
    the larger category gets the seat. If the sizes are equal too, the category with the lower number gets the seat. The
    sequence for a smaller `k` is a prefix of the sequence for a larger `k`.

    Parameters
    ----------
    counts
        (C,) number of images in each category. A category without images does not get a seat.
    k
        Number of seats to distribute, not counting the seats in `initial`.
    initial
        (C,) number of seats that each category already has. None means that no category has seats yet.

    Raises
    ------
    InputError
        There are fewer images to choose than seats.
    """
    sizes = np.asarray(counts, np.int64)
    given = np.zeros_like(sizes) if initial is None else np.asarray(initial, np.int64)
    # the quotients of a category only decrease, so sorting all quotients once gives the same order as choosing the
    # largest one repeatedly
    category, before = _free_seats(sizes, given, k)
    size = sizes[category]
    # for integers below 2^25, correctly rounded quotients are equal only if the fractions are equal
    quotient = np.where(before == 0, np.inf, size / (2.0 * before + 1.0))
    return category[np.lexsort((category, -size, -quotient))[:k]]


def allot_seats(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Distribute `k` seats over categories. Return the number of seats that each category gets, (C,).

    The parameters are the same as in `seat_sequence`.
    """
    return np.bincount(seat_sequence(counts, k, initial), minlength=len(np.asarray(counts))).astype(np.int64)


def equal_shares(counts: npt.ArrayLike, k: int, initial: npt.ArrayLike | None = None) -> IntArray:
    """Distribute `k` seats over groups in rounds. Return the (k,) group numbers of the seats.

    In each round, every group that still has images to choose gets one seat. Larger groups come first. The parameters
    and errors are the same as in `seat_sequence`. The sequence for a smaller `k` is a prefix of the sequence for a
    larger one.
    """
    sizes = np.asarray(counts, np.int64)
    given = np.zeros_like(sizes) if initial is None else np.asarray(initial, np.int64)
    group, before = _free_seats(sizes, given, k)
    return group[np.lexsort((group, -sizes[group], before))[:k]]


def occurrence(sequence: IntArray) -> IntArray:
    """Return, for each entry of a sequence, how many earlier entries have the same value."""
    order = np.argsort(sequence, kind="stable")
    counts = np.bincount(sequence) if len(sequence) else np.zeros(0, np.int64)
    before = np.empty(len(sequence), np.int64)
    before[order] = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
    return before


def _free_seats(sizes: IntArray, given: IntArray, k: int) -> tuple[IntArray, IntArray]:
    """Return two arrays with one entry for each image that is not chosen yet, sorted by category.

    The first contains the category of the image. The second contains the number of earlier seats of this category.
    """
    free = sizes - given
    if k > free.sum() or (free < 0).any():
        raise InputError(
            f"{k} more images cannot be chosen. The categories have {sizes.tolist()} images, and {given.tolist()} "
            "of these are already chosen."
        )
    category = np.repeat(np.arange(len(sizes)), free)
    before = np.arange(len(category)) - np.repeat(np.cumsum(free) - free, free) + np.repeat(given, free)
    return category, before
