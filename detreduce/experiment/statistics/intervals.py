"""Uncertainty of a paired difference over seeds, test images and both, and the difference that is detectable.

An experiment has few seeds, and resampling few values fails: the resampled mean of three values never leaves their
range, and the studentised bootstrap of three has no bounds. So this bootstrap is hierarchical, with Student's t in
place of resampled seeds. Each replicate draws the test images once for both sides of every pair, since all cells share
them. The part of the seeds is drawn from t with n - 1 degrees of freedom.

Share of 95 % intervals that contain the true value, by ``scripts/benchmarks/intervals.py``, for 100 images and 1,000
experiments each. The range covers cases where only seeds vary, mostly seeds, both alike, and mostly images.

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

The interval over seeds alone holds for the given test images. The interval over images alone holds for the given
trainings. Neither covers other images or other seeds.
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
    """The values from `low` to `high`."""

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
        (n,) one side minus the other, on the original test images.
    resampled
        (n, R) the same on R resamples of the test images: one column per resample, shared by all pairs. None without
        evidence for each image.
    """

    differences: npt.NDArray[np.float64]
    resampled: npt.NDArray[np.float64] | None = None

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return math.fsum(self.differences) / len(self.differences)

    @cached_property
    def spread(self) -> float:
        """The standard deviation between seeds (n - 1): NaN for one seed, 0 if they differ by rounding only."""
        if len(self.differences) < 2:
            return math.nan
        spread = float(np.std(self.differences, ddof=1))
        return spread if spread > 1e-12 else 0.0

    @cached_property
    def _by_images(self) -> npt.NDArray[np.float64]:
        """How far the mean moves with the images: (R,) centred on zero.

        It is centred because mAP is slightly higher on repeated images, in all trainings alike.
        """
        if self.resampled is None:
            return np.zeros(1)
        means = self.resampled.mean(axis=0)
        return means - means.mean()

    def over_seeds(self, level: float = LEVEL) -> Interval | None:
        """Return Student's t interval for the given test images; None for one seed or seeds without spread."""
        return PairedDifference(self.differences).interval(level)

    def over_images(self, level: float = LEVEL) -> Interval | None:
        """Return percentiles over resampled images for the given trainings; None without evidence."""
        if self.resampled is None:
            return None
        low, high = np.quantile(self._by_images, [(1 - level) / 2, (1 + level) / 2])
        return Interval(self.mean + float(low), self.mean + float(high))

    def interval(self, level: float = LEVEL) -> Interval | None:
        """Return the interval over seeds and images (seeds alone without evidence); None for seeds without spread."""
        if not self.spread > 0:
            return None
        tail = (1 - level) / 2
        return Interval(self._quantile(tail), self._quantile(1 - tail))

    def doubt(self) -> float:
        """Return 1 minus the level of the widest `interval` that excludes zero; 1 without an interval.

        With up to 5 seeds no exact p can be small, so the verdict uses this value. It assumes that differences between
        seeds are about Gaussian, and is never called a p.
        """
        if not self.spread > 0:
            return 1.0
        below = self._distribution(0.0)
        return min(1.0, 2 * min(below, 1 - below))

    def detectable(self, alpha: float = 1 - LEVEL, power: float = POWER) -> float | None:
        """Return the smallest true difference that this many seeds, with this spread, detect with that power.

        sqrt(S^2 + I^2). S = d s / sqrt(n), with d the non-centrality at which a non-central t of n - 1 degrees of
        freedom lies beyond the t quantile of 1 - alpha / 2 with probability `power`. I = (z(1 - alpha / 2) + z(power))
        times the standard deviation over resampled images. None for one seed or seeds without spread.
        """
        if not self.spread > 0:
            return None
        freedom = len(self.differences) - 1
        beyond = stats.t.isf(alpha / 2, freedom)
        # an upper bound: the estimated spread may be larger than the true one
        most = (beyond + 3) * math.sqrt(stats.chi2.ppf(0.99, freedom) / freedom) + 3
        shift = optimize.brentq(lambda d: stats.nct.sf(beyond, freedom, d) - power, 0, most)
        by_images = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
        return float(math.hypot(shift * self._error, by_images * float(np.std(self._by_images))))

    @property
    def _error(self) -> float:
        return self.spread / math.sqrt(len(self.differences))

    def _distribution(self, value: float) -> float:
        """Return the share of replicates below a value: t around the mean on each resample of the images."""
        scaled = (value - self.mean - self._by_images) / self._error
        return float(stats.t.cdf(scaled, len(self.differences) - 1).mean())

    def _quantile(self, share: float) -> float:
        alone = self.mean + stats.t.ppf(share, len(self.differences) - 1) * self._error
        if self.resampled is None:
            return float(alone)
        # the quantile lies between those for the lowest and the highest resample
        margin = 1e-6 * self._error
        low, high = alone + float(self._by_images.min()) - margin, alone + float(self._by_images.max()) + margin
        return float(optimize.brentq(lambda value: self._distribution(value) - share, low, high, xtol=1e-9))
