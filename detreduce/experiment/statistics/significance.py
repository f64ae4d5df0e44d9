"""Exact p-values of paired differences, and Holm's adjustment for several tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FEWEST = 6
# with up to this number of differences, all sign patterns are tried; with more, 2^20 random patterns are tried
MOST_EXACT = 20
BLOCK = 1 << 16


def sign_flip_p(differences: npt.ArrayLike) -> float | None:
    """Return the two-sided p-value for the mean of n paired differences, by the sign-flip test, or None if n < 6.

    p is the fraction of sign patterns whose mean is at least as extreme as the observed mean. The smallest possible p
    is 2 / 2^n: 0.25 for n = 3 and 0.03 for n = 6. Therefore fewer than 6 differences cannot give a p below 0.05. For n
    up to 20, p is exact. For a larger n, it is computed from 2^20 random patterns and the observed pattern.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < FEWEST:
        return None
    # a sum that differs from the observed sum only by rounding errors counts as equally extreme
    bound = abs(values.sum()) - 1e-12 * np.abs(values).sum()
    exact = len(values) <= MOST_EXACT
    patterns = 1 << min(len(values), MOST_EXACT)
    random = np.random.default_rng(0)
    extreme = 0
    for start in range(0, patterns, BLOCK):
        count = min(BLOCK, patterns - start)
        if exact:
            signs = (np.arange(start, start + count)[:, None] >> np.arange(len(values))) & 1
        else:
            signs = random.integers(0, 2, (count, len(values)))
        extreme += int(np.count_nonzero(np.abs((2 * signs - 1) @ values) >= bound))
    return extreme / patterns if exact else (extreme + 1) / (patterns + 1)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Return the p-values after Holm's (1979) adjustment, in the same order.

    None means that there was no test. It stays None and does not count as one of the tests. With the adjustment, the
    probability that any true null hypothesis gets a p below 0.05 is at most 5 %.
    """
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (value, place) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - rank)))
        adjusted[place] = largest
    return adjusted
