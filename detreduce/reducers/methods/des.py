"""Distance-entropy (des): images that lie between the prototypes of the image categories."""

from __future__ import annotations

import math
import numbers
import warnings
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError, RandomDrawWarning
from detreduce.machine.parallel import in_threads, slices
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.budget import allot_seats
from detreduce.reducers.engine.ordering import descending
from detreduce.reducers.engine.partitions import LINEAR
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking, split_by_code
from detreduce.reducers.engine.scaling import BLOCK, StandardScale, mean_rows

PROTOTYPES = 2048
"""Number of prototypes that are in memory at once. The number of categories can be close to the number of images."""


class DistanceEntropy(BaseReducer):
    """Distance-entropy: keep a random base, then add images that are about equally far from all category prototypes.

    The base is a random sample of each image category. The prototype of a category is the mean of its images in the
    base. For every other image, ``p = softmax(sign * distances to the prototypes)`` gives the entropy ``H = - sum p
    log2 p``. The images with the largest H fill the quota of each category. scores_ is H, and +inf for the base. If
    there is only one category, every H is 0. Then the choice is random, and there is a warning.

    Parameters
    ----------
    base
        Size of the base as a fraction of the images to keep, in [0, 1]. If keep is large enough, the base has at least
        one image of each category.
    sign
        With -1, the nearest prototype has the largest p. With +1, the farthest prototype has the largest p, as in the
        released code.
    standardise
        Whether to scale every feature to unit variance first.
    as_released
        Whether to use sign +1 and features that are not scaled, as in the released code.
    keep, random_state
        See BaseReducer. The seed chooses the base.
    """

    name = "des"
    family = "geometric"
    needs = ("features", "categories")
    cost = "n * C * d"
    source = "distance-entropy, Li and Chao 2022 (doi 10.3389/fpls.2021.818895); a geometric method in arXiv 2403.15150"
    summary = "a random base, and images that lie between the categories"
    keeps = "borderline"
    fails = "Ambiguous and mislabelled images come first. With one category, the choice is random."
    no_partitions = LINEAR
    deterministic = False
    nested = False

    def __init__(
        self,
        *,
        keep: int | float = 0.25,
        base: float = 0.2,
        sign: int = -1,
        standardise: bool = True,
        as_released: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.base = base
        self.sign = sign
        self.standardise = standardise
        self.as_released = as_released

    def _check_params(self) -> None:
        if isinstance(self.base, bool) or not isinstance(self.base, numbers.Real) or not 0 <= self.base <= 1:
            raise InputError(f"base={self.base!r} is not a fraction of the images to keep. Use a number in [0, 1].")
        if self.sign not in (-1, 1):
            raise InputError(f"sign={self.sign!r} must be -1 or +1.")
        for name in ("standardise", "as_released"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise InputError(f"{name}={getattr(self, name)!r} must be True or False.")

    def _prepare(self, problem: FitInput) -> tuple[list[IntArray], FloatArray]:
        """Return the rows of the base and the entropies.

        The first value has one array for each category: the rows of its images in the base, in the order of the draw.
        The second value is the entropy of every row of X.
        """
        if len(problem.labels) == 1:
            warnings.warn(
                "The choice of des with one category is random, because every entropy is 0.",
                RandomDrawWarning,
                stacklevel=4,
            )
        base = _draw_base(problem, math.floor(self.base * problem.k + 0.5))
        drawn = split_by_code(base, problem.codes, len(problem.labels))
        if len(problem.labels) == 1:
            return drawn, np.zeros(len(problem.X))
        raw = self.as_released or not self.standardise
        scale = None if raw else StandardScale(problem.X)
        groups = [own if len(own) else pool.rows for own, pool in zip(drawn, problem.pools(), strict=True)]
        sign = 1 if self.as_released else self.sign
        return drawn, distance_entropy(problem.X, MeanRows(problem.X, groups, scale), sign=sign, scale=scale)

    def _rank(self, pool: Pool) -> Ranking:
        base, entropy = pool.shared
        scores = entropy[pool.rows]
        drawn = np.searchsorted(pool.rows, base[pool.code])
        scores[drawn] = -np.inf
        order, scores = descending(scores, pool.precedence)
        scores[drawn] = np.inf
        order = np.concatenate([drawn, order[: len(order) - len(drawn)]])
        return Ranking(order[~np.isin(order, pool.initial)], scores)


@dataclass(frozen=True)
class MeanRows:
    """The prototypes of many categories. They are not stored, but computed whenever they are read.

    Attributes
    ----------
    X
        (n, d) features, not scaled.
    groups
        For each category, the rows whose mean is its prototype.
    scale
        The scaling to apply to X, or None for no scaling.
    """

    X: npt.NDArray[np.floating]
    groups: list[IntArray]
    scale: StandardScale | None

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, part: slice) -> FloatArray:
        return mean_rows(self.X, self.groups[part], self.scale)


def distance_entropy(
    X: npt.NDArray[np.floating],
    prototypes: FloatArray | MeanRows,
    *,
    sign: int = -1,
    scale: StandardScale | None = None,
) -> FloatArray:
    """Return (n,) the entropy of softmax(sign * |x - prototype|) for each row x, in bits.

    If there is only one prototype, the entropy is 0. At most `PROTOTYPES` prototypes are in memory at once.

    Parameters
    ----------
    X
        (n, d) features, not scaled.
    prototypes
        (C, d) scaled prototypes, one for each category.
    sign
        With -1, near prototypes get a large probability. With +1, far prototypes get a large probability, as in the
        released code.
    scale
        The scaling to apply to X, or None for no scaling.
    """
    if len(prototypes) == 1:
        return np.zeros(len(X))
    # subtract the mean of the prototypes to avoid rounding errors, and scale to at most 1 to avoid overflow
    centre, reach = _centre_and_reach(X, prototypes, scale)
    factor = 2.0 ** np.ceil(np.log2(reach or 1.0))
    # scaling by a power of two does not change any digits
    shrink = 1.0 / factor
    rows_at_once = slices(len(X), BLOCK)
    sums: list[_SoftmaxSums | None] = [None] * len(rows_at_once)

    for part in slices(len(prototypes), PROTOTYPES):
        centred = (prototypes[part] - centre) * shrink
        squares = np.einsum("ij,ij->i", centred, centred)

        def work(block: int, centred: FloatArray = centred, squares: FloatArray = squares) -> None:
            """Add a part of the prototypes to the softmax sums of one block of rows."""
            rows = X[rows_at_once[block]].astype(np.float64)
            if scale is not None:
                scale.apply(rows)
            rows -= centre
            if shrink != 1.0:
                rows *= shrink
            squared = np.einsum("ij,ij->i", rows, rows)[:, None] + squares - 2.0 * (rows @ centred.T)
            found = _SoftmaxSums.of(sign * factor * np.sqrt(squared.clip(0.0)))
            earlier = sums[block]
            sums[block] = found if earlier is None else earlier.joined(found)

        deque(in_threads(work, range(len(rows_at_once))), maxlen=0)
    entropy = np.concatenate([np.empty(0), *(found.entropy() for found in sums if found is not None)])
    return entropy / np.log(2.0)


def _centre_and_reach(
    X: npt.NDArray[np.floating], prototypes: FloatArray | MeanRows, scale: StandardScale | None
) -> tuple[FloatArray, float]:
    """Return two values: the mean of the prototypes, and a distance.

    The distance is the largest difference, in any one coordinate, between the mean and a row of X or a prototype. It is
    correct up to rounding errors.
    """
    centre = np.zeros(X.shape[1])
    highest, lowest = np.full(X.shape[1], -np.inf), np.full(X.shape[1], np.inf)
    for part in slices(len(prototypes), PROTOTYPES):
        some = prototypes[part]
        centre += some.mean(axis=0) * (len(some) / len(prototypes))
        np.maximum(highest, some.max(axis=0), out=highest)
        np.minimum(lowest, some.min(axis=0), out=lowest)
    ends = np.array([X.max(axis=0), X.min(axis=0)], np.float64)
    if scale is not None:
        scale.apply(ends)
    return centre, float(
        max((np.maximum(ends[0], highest) - centre).max(), (centre - np.minimum(ends[1], lowest)).max())
    )


@dataclass(frozen=True)
class _SoftmaxSums:
    """Sums over the logits of some categories. The entropy of the softmax can be computed from these sums.

    Attributes
    ----------
    top
        (b,) the largest logit of each row.
    total
        (b,) the sum of e^l, where l is the logit minus `top`.
    weighted
        (b,) the sum of l e^l.
    """

    top: FloatArray
    total: FloatArray
    weighted: FloatArray

    @classmethod
    def of(cls, logit: FloatArray) -> _SoftmaxSums:
        """Compute the sums over each row of `logit` (b, C), which is overwritten."""
        top = logit.max(axis=1)
        logit -= top[:, None]
        weight = np.exp(logit)
        return cls(top, weight.sum(axis=1), np.einsum("ij,ij->i", weight, logit))

    def joined(self, other: _SoftmaxSums) -> _SoftmaxSums:
        """Return the sums over the categories of both objects."""
        top = np.maximum(self.top, other.top)
        total, weighted = np.zeros(len(top)), np.zeros(len(top))
        for part in (self, other):
            # e^-800 is 0, and a lower difference could overflow in the product
            lower = np.maximum(part.top - top, -800.0)
            total += np.exp(lower) * part.total
            weighted += np.exp(lower) * (part.weighted + part.total * lower)
        return _SoftmaxSums(top, total, weighted)

    def entropy(self) -> FloatArray:
        """Return (b,) the entropy, in nats."""
        # -sum p log p = log sum e^l - sum p l; the right side avoids the logarithm of a very small p
        return (np.log(self.total) - self.weighted / self.total).clip(0.0)


def _draw_base(problem: FitInput, size: int) -> IntArray:
    """Return the rows of the base: `initial`, followed by a random sample of each category."""
    size = min(max(size, len(problem.labels), len(problem.initial)), problem.k)
    counts = np.bincount(problem.codes, minlength=len(problem.labels))
    taken = np.bincount(problem.codes[problem.initial], minlength=len(counts))
    seats = allot_seats(counts, size - len(problem.initial), taken)
    drawn = [problem.initial]
    for pool in problem.pools():
        shuffled = pool.rng("base").permutation(len(pool))
        drawn.append(pool.rows[shuffled[~np.isin(shuffled, pool.initial)][: seats[pool.code]]])
    return np.concatenate(drawn)
