"""Entropy of the distances to prototypes: how undecided an image is between categories."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from detreduce.reducers.parallel import in_threads, slices
from detreduce.reducers.pool import FloatArray, IntArray

BLOCK = 256
"""Rows worked on at once: a block and its copy stay in a core's cache."""


class StandardScale:
    """Brings the columns of X to mean 0 and variance 1, block by block; constant columns become 0.

    Attributes
    ----------
    mean, spread
        (d,) float64; spread is 1 for constant columns, whose rows are set to 0.
    """

    def __init__(self, X: npt.NDArray[np.floating]) -> None:
        largest = np.maximum(X.max(axis=0), -X.min(axis=0)).astype(np.float64)
        # first to at most 1, so that squares neither overflow nor vanish
        scale = np.where(largest > 0, largest, 1.0)
        count, mean, squares = 0, np.zeros(X.shape[1]), np.zeros(X.shape[1])
        for rows in _blocks(X):
            np.divide(rows, scale, out=rows)
            own = rows.mean(axis=0)
            rows -= own
            # sums of blocks put together: Chan, Golub and LeVeque 1983
            step = own - mean
            squares += np.einsum("ij,ij->j", rows, rows) + step**2 * (count * len(rows) / (count + len(rows)))
            mean += step * (len(rows) / (count + len(rows)))
            count += len(rows)
        spread = np.sqrt(squares / len(X))
        self._constant = spread <= 1e-12
        self.mean = mean * scale
        self.spread = np.where(self._constant, 1.0, spread * scale)

    def apply(self, rows: FloatArray) -> FloatArray:
        """Scale (b, d) float64 rows in place and return them."""
        rows -= self.mean
        rows /= self.spread
        if self._constant.any():
            rows[:, self._constant] = 0.0
        return rows


def _blocks(X: npt.NDArray[np.floating]) -> Iterator[FloatArray]:
    """Yield all rows as float64 in a buffer that the next block takes again."""
    buffer = np.empty((min(BLOCK, len(X)), X.shape[1]))
    for start in range(0, len(X), BLOCK):
        part = X[start : start + BLOCK]
        rows = buffer[: len(part)]
        rows[:] = part
        yield rows


def standardised(X: npt.NDArray[np.floating], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[np.floating]:
    """Return X (n, d) with columns of mean 0 and variance 1; constant columns become 0."""
    scale, start = StandardScale(X), 0
    Z = np.empty(X.shape, dtype)
    for rows in _blocks(X):
        Z[start : start + len(rows)] = scale.apply(rows)
        start += len(rows)
    return Z


def mean_rows(X: npt.NDArray[np.floating], groups: list[IntArray], scale: StandardScale | None) -> FloatArray:
    """Return (C, d) float64 means of the rows of each group, scaled."""
    means = np.zeros((len(groups), X.shape[1]))
    for mean, group in zip(means, groups, strict=True):
        for start in range(0, len(group), BLOCK):
            rows = X[group[start : start + BLOCK]].astype(np.float64)
            # divided before they are summed, which cannot overflow
            mean += ((scale.apply(rows) if scale else rows) / len(group)).sum(axis=0)
    return means


def distance_entropy(
    X: npt.NDArray[np.floating], prototypes: FloatArray, *, sign: int = -1, scale: StandardScale | None = None
) -> FloatArray:
    """Return (n,) entropies in bits of softmax(sign * |x - prototype|); 0 where there is one prototype.

    Parameters
    ----------
    X
        (n, d), not scaled.
    prototypes
        (C, d), one a category, scaled.
    sign
        -1: a near prototype is likely; +1: a far one is (the released behaviour).
    scale
        What X is scaled by; None takes it as it is.
    """
    entropy = np.zeros(len(X))
    if len(prototypes) == 1:
        return entropy
    # about the prototypes' mean, where the products lose the fewest digits; within 1, where they cannot overflow
    centre = prototypes.mean(axis=0)
    factor = 2.0 ** np.ceil(np.log2(_reach(X, prototypes, centre, scale) or 1.0))
    # a power of two changes no digit
    shrink = 1.0 / factor
    centred = (prototypes - centre) * shrink
    squares = np.einsum("ij,ij->i", centred, centred)

    def work(where: slice) -> None:
        rows = X[where].astype(np.float64)
        if scale is not None:
            scale.apply(rows)
        rows -= centre
        if shrink != 1.0:
            rows *= shrink
        squared = np.einsum("ij,ij->i", rows, rows)[:, None] + squares - 2.0 * (rows @ centred.T)
        entropy[where] = _softmax_entropy(sign * factor * np.sqrt(squared.clip(0.0)))

    deque(in_threads(work, slices(len(X), BLOCK)), maxlen=0)
    return entropy / np.log(2.0)


def _reach(
    X: npt.NDArray[np.floating], prototypes: FloatArray, centre: FloatArray, scale: StandardScale | None
) -> float:
    """Return the largest difference in one column between a row or prototype and the centre, up to rounding."""
    ends = np.array([X.max(axis=0), X.min(axis=0)], np.float64)
    if scale is not None:
        scale.apply(ends)
    return float(max((ends[0] - centre).max(), (centre - ends[1]).max(), np.abs(prototypes - centre).max()))


def _softmax_entropy(logit: FloatArray) -> FloatArray:
    """Return (b,) entropies in nats of the softmax of each row of (b, C)."""
    logit -= logit.max(axis=1, keepdims=True)
    weight = np.exp(logit)
    total = weight.sum(axis=1)
    # -sum p log p = log sum e^l - sum p l: no logarithm of a vanishing p
    return (np.log(total) - np.einsum("ij,ij->i", weight, logit) / total).clip(0.0)
