"""How sure a paired difference is: over seeds, over test images, over both; and what could have been seen.

The seeds of an experiment are few, and resampling few values fails: of three the resampled mean never leaves their
range, and the studentised bootstrap of three has no bounds. So the bootstrap here is hierarchical with Student's t in
the place of the seeds' resampling: each replicate draws the test images once, for both sides of every pair since they
are the same in all, and the seeds' part from t with n - 1 degrees of freedom.

How often 95 % intervals hold the truth, by ``scripts/benchmarks/intervals.py``: 100 images, 1,000 experiments each,
where only seeds vary, seeds most, both alike, images most.

=======================================  =======  =======  =======  =======
seeds                                          2        3        5       10
=======================================  =======  =======  =======  =======
this, Gaussian                           96 - 99  95 - 98  93 - 96  94 - 95
this, heavy tails (t of 3 degrees)       97 - 99  96 - 98  96 - 98  94 - 97
this, skewed (exponential)               90 - 99  89 - 97  89 - 96  91 - 96
t over seeds alone, Gaussian             84 - 96  58 - 95  35 - 93  22 - 94
seeds resampled, Gaussian                17 - 52  27 - 76  23 - 82  18 - 89
seeds and images resampled, Gaussian     52 - 96  76 - 95  82 - 95  89 - 94
=======================================  =======  =======  =======  =======

The interval over seeds alone is one of these very test images, that over images alone of these very trainings: neither
says what other images or other seeds would give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

LEVEL = 0.95
POWER = 0.8


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """The differences of n pairs of trainings that share a seed.

    Attributes
    ----------
    differences
        (n,): one side less the other, on the images as they are.
    resampled
        (n, R): the same on R resamples of the test images, one resample a column for all pairs; or None where it is
        not known which image gave what.
    """

    differences: npt.NDArray[np.float64]
    resampled: npt.NDArray[np.float64] | None = None

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return math.fsum(self.differences) / len(self.differences)

    @cached_property
    def spread(self) -> float:
        """Standard deviation between seeds (n - 1); NaN for one seed, 0 where they differ by rounding alone."""
        if len(self.differences) < 2:
            return math.nan
        spread = float(np.std(self.differences, ddof=1))
        return spread if spread > 1e-12 else 0.0

    @cached_property
    def _by_images(self) -> npt.NDArray[np.float64]:
        """How far the mean moves with the images, (R,) around zero.

        Around zero, since mAP is a little higher on images that are there twice, in all trainings alike.
        """
        if self.resampled is None:
            return np.zeros(1)
        means = self.resampled.mean(axis=0)
        return means - means.mean()

    def over_seeds(self, level: float = LEVEL) -> Interval | None:
        """Student's t interval, the test images as they are; None for one seed or seeds without spread."""
        return PairedDifference(self.differences).interval(level)

    def over_images(self, level: float = LEVEL) -> Interval | None:
        """Percentiles over resampled images, these very trainings taken as they are; None where not known."""
        if self.resampled is None:
            return None
        low, high = np.quantile(self._by_images, [(1 - level) / 2, (1 + level) / 2])
        return Interval(self.mean + float(low), self.mean + float(high))

    def interval(self, level: float = LEVEL) -> Interval | None:
        """Interval over seeds and images together (over seeds alone where the images are not known); else None."""
        if not self.spread > 0:
            return None
        tail = (1 - level) / 2
        return Interval(self._quantile(tail), self._quantile(1 - tail))

    def doubt(self) -> float:
        """One less the level of the widest `interval` that does not hold zero; 1 where there is no interval.

        Up to 5 seeds no p by exact test can be small. This is what the verdict goes by; it trusts the differences of
        seeds to be about Gaussian, and is never called a p.
        """
        if not self.spread > 0:
            return 1.0
        below = self._distribution(0.0)
        return min(1.0, 2 * min(below, 1 - below))

    def detectable(self, alpha: float = 1 - LEVEL, power: float = POWER) -> float | None:
        """The true difference that, with this spread and these seeds, would be told from zero with that power.

        sqrt(S^2 + I^2). S = d s / sqrt(n), with d the non-centrality at which a non-central t of n - 1 degrees of
        freedom lies beyond the t quantile of 1 - alpha / 2 with probability `power`. I = (z(1 - alpha / 2) + z(power))
        times the standard deviation over resampled images. None for one seed or seeds without spread.
        """
        if not self.spread > 0:
            return None
        freedom = len(self.differences) - 1
        beyond = stats.t.isf(alpha / 2, freedom)
        # that the spread will be found larger than it is costs more than the quantile, at most this much
        most = (beyond + 3) * math.sqrt(stats.chi2.ppf(0.99, freedom) / freedom) + 3
        shift = optimize.brentq(lambda d: stats.nct.sf(beyond, freedom, d) - power, 0, most)
        by_images = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
        return float(math.hypot(shift * self._error, by_images * float(np.std(self._by_images))))

    @property
    def _error(self) -> float:
        return self.spread / math.sqrt(len(self.differences))

    def _distribution(self, value: float) -> float:
        """Share of the replicates below a value: t around the mean on each resample of the images."""
        scaled = (value - self.mean - self._by_images) / self._error
        return float(stats.t.cdf(scaled, len(self.differences) - 1).mean())

    def _quantile(self, share: float) -> float:
        alone = self.mean + stats.t.ppf(share, len(self.differences) - 1) * self._error
        if self.resampled is None:
            return float(alone)
        # it lies between those with the images moved as far as any resample moves them, down and up
        margin = 1e-6 * self._error
        low, high = alone + float(self._by_images.min()) - margin, alone + float(self._by_images.max()) + margin
        return float(optimize.brentq(lambda value: self._distribution(value) - share, low, high, xtol=1e-9))
