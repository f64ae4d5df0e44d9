"""The uncertainty of a paired difference over seeds, test images or both, and the smallest detectable difference.

An experiment has few seeds, and a bootstrap over few values fails. The resampled mean of three values never leaves
their range, and the intervals of the studentised bootstrap are unbounded for three values. This hierarchical bootstrap
therefore uses Student's t for the seeds. Each replicate resamples the test images. All cells get the same resample,
because all cells are tested on the same images. Each replicate also adds a value from the t distribution with n - 1
degrees of freedom for the variation between seeds.

The table shows the percentage of 95 % intervals that contain the true value. ``scripts/benchmarks/intervals.py``
measures this percentage with 100 images and 1,000 experiments per case. Each range covers four cases: only seeds vary,
mostly seeds vary, seeds and images vary equally, and mostly images vary. The first three lines are this method.

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

The interval over seeds alone is valid only for the given test images. The interval over images alone is valid only for
the given trainings.
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
    """An interval from `low` to `high`, including both ends."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """The differences between two methods in n independent groups of trainings.

    Attributes
    ----------
    differences
        (n,) differences on the original test images, one for each group.
    resampled
        (n, R) differences on R resamples of the test images. Each column belongs to one resample. None if the cells
        have no results for each test image.
    """

    differences: npt.NDArray[np.float64]
    resampled: npt.NDArray[np.float64] | None = None

    @property
    def mean(self) -> float:
        """The mean of the differences over all groups."""
        return math.fsum(self.differences) / len(self.differences)

    @cached_property
    def spread(self) -> float:
        """The standard deviation (n - 1) of the differences.

        It is NaN for one group. It is 0 if the differences are equal except for rounding errors.
        """
        if len(self.differences) < 2:
            return math.nan
        spread = float(np.std(self.differences, ddof=1))
        return spread if spread > 1e-12 else 0.0

    @cached_property
    def _by_images(self) -> npt.NDArray[np.float64]:
        """(R,) change of the mean difference on each resample of the images, centred on zero.

        Resamples repeat images, and mAP is slightly higher on repeated images in all trainings. Centring removes this
        bias.
        """
        if self.resampled is None:
            return np.zeros(1)
        means = self.resampled.mean(axis=0)
        return means - means.mean()

    def over_seeds(self, level: float = LEVEL) -> Interval | None:
        """Return Student's t interval for the given test images, or None if `spread` is 0 or NaN."""
        return PairedDifference(self.differences).interval(level)

    def over_images(self, level: float = LEVEL) -> Interval | None:
        """Return the interval over resampled images for the given trainings, or None if `resampled` is None."""
        if self.resampled is None:
            return None
        low, high = np.quantile(self._by_images, [(1 - level) / 2, (1 + level) / 2])
        return Interval(self.mean + float(low), self.mean + float(high))

    def interval(self, level: float = LEVEL) -> Interval | None:
        """Return the interval over seeds and images, or None if `spread` is 0 or NaN.

        If `resampled` is None, the interval covers only the variation over seeds.
        """
        if not self.spread > 0:
            return None
        tail = (1 - level) / 2
        return Interval(self._quantile(tail), self._quantile(1 - tail))

    def doubt(self) -> float:
        """Return a value from 0 to 1, which is below 0.05 if the 95 % interval excludes zero.

        It is 1 minus the level of the widest `interval` that excludes zero. If there is no interval, it is 1.

        The verdict uses this value, because an exact p-value cannot be small with up to 5 seeds. The value assumes that
        the differences between seeds are approximately Gaussian. It is not reported as a p-value.
        """
        if not self.spread > 0:
            return 1.0
        below = self._distribution(0.0)
        return min(1.0, 2 * min(below, 1 - below))

    def detectable(self, alpha: float = 1 - LEVEL, power: float = POWER) -> float | None:
        """Return the smallest true difference that n groups with this `spread` can detect.

        `alpha` is the error level, and `power` is the probability of detecting the difference. Return None if `spread`
        is 0 or NaN.

        The result is sqrt(S^2 + I^2). S = d * spread / sqrt(n) comes from the seeds. d is the non-centrality of a t
        with n - 1 degrees of freedom. With this d, the t exceeds the t quantile of 1 - alpha / 2 with probability
        `power`. I = (z(1 - alpha / 2) + z(power)) * s comes from the test images. z is the normal quantile. s is the
        standard deviation of the mean difference over resampled images.
        """
        if not self.spread > 0:
            return None
        freedom = len(self.differences) - 1
        beyond = stats.t.isf(alpha / 2, freedom)
        # an upper bound for d, because the estimated spread may be larger than the true spread
        most = (beyond + 3) * math.sqrt(stats.chi2.ppf(0.99, freedom) / freedom) + 3
        shift = optimize.brentq(lambda d: stats.nct.sf(beyond, freedom, d) - power, 0, most)
        by_images = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
        return float(math.hypot(shift * self._error, by_images * float(np.std(self._by_images))))

    @property
    def _error(self) -> float:
        """The standard error of `mean` that comes from the variation between seeds alone."""
        return self.spread / math.sqrt(len(self.differences))

    def _distribution(self, value: float) -> float:
        """Return the fraction of bootstrap replicates below `value`.

        For each resample of the images, the replicates have a t distribution around the mean difference on this
        resample.
        """
        scaled = (value - self.mean - self._by_images) / self._error
        return float(stats.t.cdf(scaled, len(self.differences) - 1).mean())

    def _quantile(self, share: float) -> float:
        """Return the value below which a fraction `share` of the bootstrap replicates lies."""
        alone = self.mean + stats.t.ppf(share, len(self.differences) - 1) * self._error
        if self.resampled is None:
            return float(alone)
        # the quantile lies between the quantiles for the lowest and for the highest resample
        margin = 1e-6 * self._error
        low, high = alone + float(self._by_images.min()) - margin, alone + float(self._by_images.max()) + margin
        return float(optimize.brentq(lambda value: self._distribution(value) - share, low, high, xtol=1e-9))
