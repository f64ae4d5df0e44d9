"""mAP as one surface over the images kept and the images seen in training, fitted to finished cells.

mAP(n, s) = A g(n_eff / n0, a) g(s / s0, b) with g(x, a) = 1 - (1 + x)^-a: it grows from 0 and saturates in both, like
the power laws of learning curves (Hestness et al. 2017, arXiv 1712.00409). n is the number of different images and s
the number of images that went through the network. n_eff = n exp(m (1 - n / N)), with one m per method, is the number
of random images that the method's images are worth. The advantage fades as everything is kept; m is 0 for random draws.

A few cells do not determine that many parameters, so each one has a prior. The result is a sample of the posterior by
randomise-then-optimise (Bardsley et al. 2014): repeated fits, with noise on the cells and on the priors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError
from detreduce.vocabulary.controls import ON_ALL_IMAGES, RANDOM_METHODS

FloatArray = npt.NDArray[np.float64]

RANDOM = (*RANDOM_METHODS, *ON_ALL_IMAGES)
"""Methods whose images are worth as much as random ones."""
SHARED = ("A", "n0", "a", "s0", "b")
RUN_SPREAD = 0.015
"""Prior standard deviation between seeds; `MISFIT` is the prior misfit of the surface."""
MISFIT = 0.01
WORTH = 4.0
"""Degrees of freedom of these priors."""
SAMPLES = 250
LEAST_CONFIGURATIONS = 3


@dataclass(frozen=True, slots=True)
class Configuration:
    """Cells that differ only in their seeds: images kept, images seen, and the mAP of each cell."""

    method: str
    images: int
    images_seen: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Surface:
    """A fitted surface.

    Attributes
    ----------
    methods
        The methods that have a parameter m.
    total
        Images of the whole dataset.
    samples
        (S, 5 + methods) parameters drawn from the posterior, on their unbounded scales.
    misfit, run_spread
        Standard deviations: of a configuration's mean around the surface, and of one run around that mean.
    freedom
        Degrees of freedom of these two estimates.
    """

    methods: tuple[str, ...]
    total: int
    samples: FloatArray
    misfit: float
    run_spread: float
    freedom: float

    def means(self, method: str, images: int, images_seen: float) -> FloatArray:
        """Return (S,) draws of the surface at a configuration. Raise InputError for a method without cells."""
        if method not in RANDOM and method not in self.methods:
            raise InputError(f"No finished cell has the method {method!r}. There are: {', '.join(self.methods)}.")
        place = self.methods.index(method) if method in self.methods else -1
        return _surface(self.samples, np.array([place]), np.array([images]), np.array([images_seen]), self.total)[:, 0]

    def runs(self, method: str, images: int, images_seen: float, seed: int = 0) -> FloatArray:
        """Return (S,) draws of the mAP of one new training at a configuration."""
        rng = np.random.default_rng(seed)
        # the spreads are estimated from few cells too
        noise = np.hypot(self.misfit, self.run_spread) * rng.standard_t(self.freedom, len(self.samples))
        return self.means(method, images, images_seen) + noise


def configurations(rows: Iterable[Mapping[str, Any]], measure: str) -> list[Configuration]:
    """Return the configurations of tidy rows; rows without the measure are left out."""
    groups: dict[tuple[str, int, float], list[float]] = {}
    for row in rows:
        if row.get(measure) is not None and row.get("images_seen"):
            key = (str(row["label"]), int(row["images"]), float(row["images_seen"]))
            groups.setdefault(key, []).append(float(row[measure]))
    return [Configuration(*key, tuple(values)) for key, values in sorted(groups.items())]


def fit_surface(found: Sequence[Configuration], total: int, *, samples: int = SAMPLES, seed: int = 0) -> Surface:
    """Fit the surface to configurations of a dataset of `total` images.

    Raise InputError for fewer than three configurations.
    """
    from scipy.optimize import least_squares

    if len(found) < LEAST_CONFIGURATIONS:
        raise InputError(
            f"{len(found)} different configurations are finished; a plan needs at least {LEAST_CONFIGURATIONS}. Add "
            f"other keeps, or the controls {' and '.join(ON_ALL_IMAGES)}."
        )
    methods = tuple(sorted({item.method for item in found} - set(RANDOM)))
    places = np.array([methods.index(item.method) if item.method in methods else -1 for item in found])
    images = np.array([item.images for item in found], float)
    seen = np.array([item.images_seen for item in found])
    mean = np.array([np.mean(item.values) for item in found])
    counts = np.array([len(item.values) for item in found], float)
    centre, width = _priors(mean.max(), total, seen.max(), len(methods))
    run_spread = _pooled(found)

    def solve(target: FloatArray, middle: FloatArray, start: FloatArray, spread: FloatArray) -> Any:
        def residuals(theta: FloatArray) -> FloatArray:
            fitted = _surface(theta[None], places, images, seen, total)[0]
            return np.concatenate([(fitted - target) / spread, (theta - middle) / width])

        return least_squares(residuals, start, method="lm", max_nfev=1000)

    misfit = MISFIT
    for _ in range(4):
        spread = np.sqrt(misfit**2 + run_spread**2 / counts)
        best = solve(mean, centre, centre, spread)
        residual = best.fun[: len(mean)] * spread
        # the part that seeds explain is no misfit
        excess = np.clip(residual**2 - run_spread**2 / counts, 0.0, None)
        lever = _leverage(best.jac, len(mean))
        free = max(1.0, len(mean) - lever.sum())
        # a configuration that is left out of the fit lies farther from the surface
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
    return Surface(methods, total, np.array(drawn), misfit, run_spread, WORTH + free)


def _priors(largest: float, total: int, most_seen: float, methods: int) -> tuple[FloatArray, FloatArray]:
    """Return the prior mean and standard deviation of each parameter on its unbounded scale."""
    top = float(np.clip(largest * 1.1, 0.05, 0.95))
    centre = [np.log(top / (1 - top)), np.log(total / 10), np.log(0.7), np.log(most_seen / 10), np.log(0.7)]
    width = [0.7, 1.5, 0.6, 1.5, 0.6]
    return np.array([*centre, *[0.0] * methods]), np.array([*width, *[0.6] * methods])


def _surface(theta: FloatArray, places: npt.ArrayLike, images: Any, seen: Any, total: int) -> FloatArray:
    """Return the (S, m) surface of S sets of parameters at m configurations."""
    places = np.asarray(places)
    shared = theta[:, : len(SHARED)]
    top = 1 / (1 + np.exp(-shared[:, :1]))
    n0, a, s0, b = (np.exp(np.clip(shared[:, index : index + 1], -30, 30)) for index in range(1, len(SHARED)))
    worth = np.zeros((len(theta), len(places)))
    own = places >= 0
    worth[:, own] = theta[:, len(SHARED) + places[own]]
    effective = images * np.exp(np.clip(worth, -10, 10) * (1 - images / total))
    return top * (1 - (1 + effective / n0) ** -a) * (1 - (1 + seen / s0) ** -b)


def _pooled(found: Sequence[Configuration]) -> float:
    """Return the standard deviation between seeds, pooled over the configurations and the prior."""
    squares = sum(float(np.var(item.values)) * len(item.values) for item in found)
    free = sum(len(item.values) - 1 for item in found)
    return float(np.sqrt((WORTH * RUN_SPREAD**2 + squares) / (WORTH + free)))


def _leverage(jacobian: FloatArray, rows: int) -> FloatArray:
    """Return (rows,) how much each configuration pulls the surface: the diagonal of the hat matrix.

    Their sum is the number of degrees of freedom that the configurations use, apart from the priors.
    """
    data = jacobian[:rows]
    return np.asarray(np.einsum("ij,jk,ik->i", data, np.linalg.pinv(jacobian.T @ jacobian), data), np.float64)
