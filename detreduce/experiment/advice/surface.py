"""Model the mAP as a function of the images kept and the images seen in training, and fit it to finished cells.

The surface has this formula:

    mAP(n, s) = A g(n_eff / n0, a) g(s / s0, b)
    g(x, c) = 1 - (1 + x)^-c
    n_eff = n exp(m (1 - n / N))

- n is the number of different images, and N is the number of images in the full set.
- s is the number of images seen. If cells differ in batch, image size or frozen layers, s is multiplied by a factor
  (see `detreduce.experiment.advice.settings`).
- n_eff is the effective number of images: this number of random images would give the same mAP as the n images of a
  method. Each method has its own m, and m is 0 for random subsets. The advantage of a method disappears as n approaches
  N.
- A is the mAP that the surface approaches for large n and s. n0 and s0 are scales, and a and b are exponents. All
  methods share these five parameters.

The mAP grows from 0 and saturates in both n and s, like the power laws of learning curves (Hestness et al. 2017, arXiv
1712.00409).

A few cells cannot determine all parameters, so each parameter has a prior. The result is a sample of the posterior,
drawn by randomise-then-optimise (Bardsley et al. 2014): the fit is repeated with random noise on the cells and on the
priors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.experiment.advice.settings import Factors, Setting
from detreduce.vocabulary.controls import ON_ALL_IMAGES, RANDOM_METHODS

FloatArray = npt.NDArray[np.float64]

RANDOM = (*RANDOM_METHODS, *ON_ALL_IMAGES)
"""Methods for which m is 0: random subsets, and the controls that train on all images."""
SHARED = ("A", "n0", "a", "s0", "b")
"""The parameters that all methods share."""
RUN_SPREAD = 0.015
"""Prior standard deviation of the mAP between trainings that differ only in their seeds."""
MISFIT = 0.01
"""Prior standard deviation of the difference between the mAP of a configuration and the surface.

An mAP below this value cannot be distinguished from 0.
"""
WORTH = 4.0
"""Degrees of freedom of the priors of the two standard deviations."""
SAMPLES = 250
LEAST_CONFIGURATIONS = 3


@dataclass(frozen=True, slots=True)
class Configuration:
    """A group of cells that differ only in their seeds.

    Attributes
    ----------
    method
        The label of the method.
    images, images_seen
        Number of images that were kept, and number of images that went through the network.
    values
        The mAP of each cell.
    setting
        The batch, the image size and the frozen layers. None if all cells have the same setting.
    """

    method: str
    images: int
    images_seen: float
    values: tuple[float, ...]
    setting: Setting | None = None


@dataclass(frozen=True)
class Surface:
    """The surface, fitted to finished cells.

    Attributes
    ----------
    methods
        The methods that have a parameter m of their own. Methods in `RANDOM` have none.
    total
        Number of images in the full set.
    samples
        (S, 5 + methods + factors) posterior samples of the parameters, transformed to unbounded scales.
    misfit
        Standard deviation of the mean mAP of a configuration around the surface.
    run_spread
        Standard deviation of the mAP of one training around the mean of its configuration.
    freedom
        Degrees of freedom of these two standard deviations.
    factors
        The factors by which settings multiply the images seen. There are none if the settings do not vary.
    """

    methods: tuple[str, ...]
    total: int
    samples: FloatArray
    misfit: float
    run_spread: float
    freedom: float
    factors: Factors = field(default_factory=Factors)

    def means(self, method: str, images: int, images_seen: float, setting: Setting | None = None) -> FloatArray:
        """Return the (S,) posterior samples of the mean mAP of a configuration.

        Raise InputError if no finished cell has the method.
        """
        if method not in RANDOM and method not in self.methods:
            raise InputError(f"No finished cell has the method {method!r}. There are: {', '.join(self.methods)}.")
        place = self.methods.index(method) if method in self.methods else -1
        seen = images_seen * self.worth(setting)[:, None]
        return _surface(self.samples, np.array([place]), np.array([images]), seen, self.total)[:, 0]

    def worth(self, setting: Setting | None) -> FloatArray:
        """Return (S,) posterior samples of the factor by which a setting multiplies the number of images seen."""
        first = len(SHARED) + len(self.methods)
        return _factor(self.samples[:, first:] @ self.factors.row(setting))

    def runs(
        self, method: str, images: int, images_seen: float, seed: int = 0, setting: Setting | None = None
    ) -> FloatArray:
        """Return (S,) random samples of the mAP that one new training may have."""
        rng = np.random.default_rng(seed)
        # use Student's t, because the few cells do not determine the standard deviations well
        noise = np.hypot(self.misfit, self.run_spread) * rng.standard_t(self.freedom, len(self.samples))
        return self.means(method, images, images_seen, setting) + noise


def configurations(rows: Iterable[Mapping[str, Any]], measure: str) -> list[Configuration]:
    """Group tidy rows into configurations. Rows without the measure are left out."""
    groups: dict[tuple[str, int, float], dict[Setting | None, list[float]]] = {}
    for row in rows:
        if row.get(measure) is not None and row.get("images_seen"):
            key = (str(row["label"]), int(row["images"]), float(row["images_seen"]))
            groups.setdefault(key, {}).setdefault(row.get("setting"), []).append(float(row[measure]))
    return [
        Configuration(*key, tuple(values), setting)
        for key, settings in sorted(groups.items())
        for setting, values in settings.items()
    ]


class TooFewConfigurations(InputError):
    """Too few configurations are finished to fit a surface.

    Attributes
    ----------
    found
        A sentence that says how many configurations are finished, and how many are needed.
    """

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(f"{found} {advice}")
        self.found = found


def fit_surface(
    found: Sequence[Configuration],
    total: int,
    *,
    reference: Setting | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Surface:
    """Fit the surface to configurations of a dataset with `total` images.

    `reference` is the setting that has a factor of 1. It is needed only if the configurations have settings. `samples`
    is the number S of posterior samples. Raise InputError if there are fewer than three configurations.
    """
    from scipy.optimize import least_squares

    _check_count(found)
    methods = tuple(sorted({item.method for item in found} - set(RANDOM)))
    places = np.array([methods.index(item.method) if item.method in methods else -1 for item in found])
    images = np.array([item.images for item in found], float)
    seen = np.array([item.images_seen for item in found])
    mean = np.array([np.mean(item.values) for item in found])
    counts = np.array([len(item.values) for item in found], float)
    factors = Factors.of((item.setting for item in found), reference)
    design = np.array([factors.row(item.setting) for item in found]).reshape(len(found), -1)
    centre, width = _priors(mean.max(), total, seen.max(), len(methods), factors.widths)
    first = len(centre) - len(factors.widths)
    run_spread = _pooled(found)

    def solve(target: FloatArray, middle: FloatArray, start: FloatArray, spread: FloatArray) -> Any:
        """Fit the surface to the mAP values `target` (m,), with a prior around `middle`."""

        def residuals(theta: FloatArray) -> FloatArray:
            """Return the residuals of the measurements and of the prior, in standard deviations."""
            worth = _factor(design @ theta[first:])
            fitted = _surface(theta[None], places, images, seen * worth, total)[0]
            return np.concatenate([(fitted - target) / spread, (theta - middle) / width])

        return least_squares(residuals, start, method="lm", max_nfev=1000)

    misfit = MISFIT
    for _ in range(4):
        spread = np.sqrt(misfit**2 + run_spread**2 / counts)
        best = solve(mean, centre, centre, spread)
        residual = best.fun[: len(mean)] * spread
        # the variation between seeds explains part of the residual; only the rest counts as misfit
        excess = np.clip(residual**2 - run_spread**2 / counts, 0.0, None)
        lever = _leverage(best.jac, len(mean))
        free = max(1.0, len(mean) - lever.sum())
        # leave-one-out residuals: a surface that is fitted without a configuration is farther away from it
        left_out = np.clip((residual / (1 - lever).clip(0.1)) ** 2 - run_spread**2 / counts, 0.0, None)
        wide = max(excess.sum() * len(mean) / free, left_out.sum())
        misfit = float(np.sqrt((WORTH * MISFIT**2 + wide) / (WORTH + len(mean))))
    spread = np.sqrt(misfit**2 + run_spread**2 / counts)
    rng = np.random.default_rng(seed)
    drawn = [
        solve(
            mean + spread * rng.standard_normal(len(mean)),
            centre + width * rng.standard_normal(len(centre)),
            best.x,
            spread,
        ).x
        for _ in range(samples)
    ]
    return Surface(methods, total, np.array(drawn), misfit, run_spread, WORTH + free, factors)


def _check_count(found: Sequence[Configuration]) -> None:
    """Raise TooFewConfigurations if there are too few configurations to fit a surface."""
    if len(found) >= LEAST_CONFIGURATIONS:
        return
    missing = [name for name in ON_ALL_IMAGES if name not in {item.method for item in found}]
    controls = f", or the control{'s' * (len(missing) > 1)} {' and '.join(missing)}," if missing else ""
    raise TooFewConfigurations(
        f"{counted(len(found), 'configuration is', 'different configurations are')} finished (trainings of one "
        f"configuration differ only in their seeds), but a recipe needs at least {LEAST_CONFIGURATIONS}.",
        f"Add other keeps{controls} to the experiment.",
    )


def _priors(
    largest: float, total: int, most_seen: float, methods: int, factors: Sequence[float]
) -> tuple[FloatArray, FloatArray]:
    """Return the prior mean and the prior standard deviation of each parameter, on unbounded scales."""
    top = float(np.clip(largest * 1.1, 0.05, 0.95))
    centre = [np.log(top / (1 - top)), np.log(total / 10), np.log(0.7), np.log(most_seen / 10), np.log(0.7)]
    width = [0.7, 1.5, 0.6, 1.5, 0.6]
    return np.array([*centre, *[0.0] * (methods + len(factors))]), np.array([*width, *[0.6] * methods, *factors])


def _factor(logarithm: FloatArray) -> FloatArray:
    """Return the exponential of a logarithm that is clipped, so that no fit overflows."""
    return np.asarray(np.exp(np.minimum(np.maximum(logarithm, -10), 10)), np.float64)


def _surface(theta: FloatArray, places: npt.ArrayLike, images: Any, seen: Any, total: int) -> FloatArray:
    """Return the (S, m) mAP of m configurations for S sets of parameters.

    `places` has, for each configuration, the index of its method in `Surface.methods`. The index is -1 if the method
    has no parameter m of its own.
    """
    places = np.asarray(places)
    shared = theta[:, : len(SHARED)]
    top = 1 / (1 + np.exp(-shared[:, :1]))
    # minimum and maximum instead of clip, which takes three times as long for so few numbers; a fit calls this 20,000
    # times
    n0, a, s0, b = np.exp(np.minimum(np.maximum(shared[:, 1:], -30), 30)).T[:, :, None]
    worth = np.zeros((len(theta), len(places)))
    own = places >= 0
    worth[:, own] = theta[:, len(SHARED) + places[own]]
    effective = images * np.exp(np.minimum(np.maximum(worth, -10), 10) * (1 - images / total))
    return top * (1 - (1 + effective / n0) ** -a) * (1 - (1 + seen / s0) ** -b)


def _pooled(found: Sequence[Configuration]) -> float:
    """Return the standard deviation between seeds, pooled over all configurations and combined with its prior."""
    squares = sum(float(np.var(item.values)) * len(item.values) for item in found)
    free = sum(len(item.values) - 1 for item in found)
    return float(np.sqrt((WORTH * RUN_SPREAD**2 + squares) / (WORTH + free)))


def _leverage(jacobian: FloatArray, rows: int) -> FloatArray:
    """Return the (rows,) leverages of the configurations, which are the diagonal of the hat matrix.

    A leverage is between 0 and 1. It measures how strongly a configuration determines the surface. The sum of the
    leverages is the effective number of parameters that the configurations determine. The priors determine the rest.
    """
    data = jacobian[:rows]
    return np.asarray(np.einsum("ij,jk,ik->i", data, np.linalg.pinv(jacobian.T @ jacobian), data), np.float64)
