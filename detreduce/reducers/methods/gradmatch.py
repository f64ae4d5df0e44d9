"""GradMatch: keep images whose weighted gradients add up to the mean gradient of all images."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.ordering import best, place_scores
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking
from detreduce.reducers.engine.search.nnls import GrowingFit

BY = ("cosine", "product")
MOST = 512
"""Largest number of images in one round. The Cholesky factor for this number takes 1 MiB."""
ROUNDING = 1e-12
"""A residual counts as 0 if it is below this fraction of the mean gradient."""


class GradMatch(BaseReducer):
    """GradMatch: match the mean gradient of each image category with the weighted gradients of the kept images.

    X is the block `gradients`. It has one gradient for each image, computed with a half-trained detector. In each step,
    each chosen image gets a weight of at least 0. With these weights, the weighted sum of the chosen gradients is as
    close as possible to the mean gradient. The residual is the mean gradient minus this weighted sum. The next image is
    the image whose gradient agrees best with the residual (orthogonal matching pursuit). If the residual is small, a
    new round begins. The new round matches the same mean gradient again, with images that are not chosen yet.

    scores_ of a chosen image is minus its position in the order of choice within the category (0, -1, -2, ...). The
    scores of dropped images are lower. Among dropped images, better agreement with the last residual gives a higher
    score. The method needs one float64 copy of the gradients of a category in memory. With 512 columns, this is 4 KiB
    per image.

    Parameters
    ----------
    tolerance
        A number in [0, 1). A round ends when the length of the residual is at most this fraction of the length of the
        mean gradient.
    by
        How agreement with the residual is measured. ``"cosine"`` does not depend on the length of a gradient. Use
        ``"cosine"`` for a training that counts all images equally. ``"product"`` is the measure of the paper. With
        ``"product"``, long gradients come first and get small weights.
    keep, random_state
        See BaseReducer. The seed only breaks ties.

    Attributes
    ----------
    weights_ : (n,) float64
        Weight of each chosen image in its round, and 0 for the other images. `detreduce.train` does not use weights.
    residuals_ : dict
        Category label -> length of the residual after each choice, as a fraction of the length of the mean gradient.
    """

    name = "gradmatch"
    family = "training"
    needs = ("gradients",)
    cost = "k * n_c * d, after a proxy training and a pass for gradients"
    source = "GRAD-MATCH, Killamsetty et al. 2021 (ICML, arXiv 2103.00123); cf. arXiv 2006.05929"
    summary = "images whose gradients together match the mean gradient of all images, for a half-trained detector"
    keeps = "varied gradients"
    fails = (
        "The gradients are from one epoch only, and training counts all kept images equally. A random subset may be as "
        "good."
    )
    no_partitions = "each choice depends on the sum of all gradients"
    deterministic = True
    nested = True

    def __init__(
        self, *, keep: int | float = 0.25, tolerance: float = 0.1, by: str = "cosine", random_state: Any = 0
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.tolerance = tolerance
        self.by = by

    def _check_params(self) -> None:
        value = self.tolerance
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= float(value) < 1:
            raise InputError(f"tolerance={value!r} is not a number in [0, 1).")
        if self.by not in BY:
            raise InputError(f"by={self.by!r} must be 'cosine' or 'product'.{nearest(str(self.by), BY)}")

    def _prepare(self, problem: FitInput) -> None:
        self.weights_ = np.zeros(len(problem.codes))
        self.residuals_: dict[Any, FloatArray] = {}

    def _rank(self, pool: Pool) -> Ranking:
        G = np.array(pool.X, np.float64)
        largest = float(max(G.max(), -G.min()))
        # scaling by a power of two does not change any digits, and the weights do not depend on a common factor
        G *= 2.0 ** -np.ceil(np.log2(largest or 1.0))
        pursuit = MatchingPursuit(G, pool.priority, float(self.tolerance), self.by)
        with progress(f"gradmatch {pool.label}", pool.wanted, "images") as advance:
            picks = pursuit.choose(pool.initial, pool.wanted, advance)
        self.weights_[pool.rows] = picks.weights
        self.residuals_[pool.label] = picks.residuals
        return Ranking(picks.order, place_scores(picks.order, picks.agreement))


@dataclass
class Picks:
    """The result of `MatchingPursuit.choose`.

    Attributes
    ----------
    order
        (k,) the chosen rows, in the order in which they were chosen.
    weights
        (n,) the weight of each chosen or initial row in the fit of its round. Other rows have the weight 0.
    residuals
        (k,) the norm of the residual after each choice, as a fraction of the norm of the mean gradient.
    agreement
        (n,) the agreement of each row with the residual after the last choice. It is -inf for chosen rows.
    """

    order: IntArray
    weights: FloatArray
    residuals: FloatArray
    agreement: FloatArray


class MatchingPursuit:
    """Orthogonal matching pursuit in rounds: approximate the mean row of G by non-negative combinations of its rows.

    Each step chooses the row that agrees best with the residual, and then fits the weights of the round again. A round
    ends when the residual is small (see `tolerance`), when no row agrees with the residual, or when the round has 512
    members. The next round approximates the same mean with rows that are not chosen yet. Therefore any number of rows
    can be chosen, even if G has few columns, and memory does not grow with the square of this number.

    Parameters
    ----------
    G
        (n, d) float64 gradients.
    priority
        (n,) numbers that break ties. The row with the lowest number wins.
    tolerance
        A number in [0, 1). A round ends when the norm of the residual is at most this fraction of the norm of the mean.
    by
        Measure of the agreement with the residual: ``"cosine"`` or the inner ``"product"``.
    """

    def __init__(self, G: FloatArray, priority: IntArray, tolerance: float = 0.1, by: str = "cosine") -> None:
        self.G = G
        self.priority = priority
        self.tolerance = max(tolerance, ROUNDING)
        self.target = G.mean(axis=0)
        self.length = float(np.linalg.norm(self.target))
        self.norms = np.linalg.norm(G, axis=1) if by == "cosine" else np.ones(len(G))
        self.norms[self.norms == 0] = 1.0
        self.taken = np.zeros(len(G), bool)

    def choose(self, initial: IntArray, count: int, advance: Callable[[int], object] = lambda _: None) -> Picks:
        """Choose `count` rows.

        Parameters
        ----------
        initial
            Rows that are already chosen. Every 512 of these rows form a finished round. The rows that are left over
            begin the current round.
        count
            Number of rows to choose, at most n minus the number of initial rows.
        advance
            A function that is called with the number of rows that were just chosen.
        """
        self.taken[initial] = True
        order, residuals = np.empty(count, np.int64), np.empty(count)
        weights = np.zeros(len(self.G))
        current = _Round(self.G, self.target)
        for row in initial[len(initial) - len(initial) % MOST :]:
            current.add(int(row))
        for pick in range(count):
            row, _, new_round = self._next_row(current)
            if new_round:
                weights[current.members] = current.weights
                current = _Round(self.G, self.target)
            current.add(row)
            self.taken[row] = True
            order[pick], residuals[pick] = row, self._share(current)
            advance(1)
        weights[current.members] = current.weights
        _, agreement, _ = self._next_row(current)
        return Picks(order, weights, residuals, agreement)

    def _next_row(self, current: _Round) -> tuple[int, FloatArray, bool]:
        """Return the next row to add, the agreement of all rows, and whether the next row begins a new round.

        The agreement has the shape (n,).
        """
        agreement = self._agreement(current.residual)
        row = best(agreement, self.priority)
        done = self._share(current) <= self.tolerance or len(current.members) >= MOST or agreement[row] <= 0
        if not (current.members and done):
            return row, agreement, False
        agreement = self._agreement(self.target)
        return best(agreement, self.priority), agreement, True

    def _agreement(self, residual: FloatArray) -> FloatArray:
        """Return (n,) the agreement of each row with the residual, or -inf for chosen rows."""
        agreement = self.G @ residual / self.norms
        agreement[self.taken] = -np.inf
        return agreement

    def _share(self, members: _Round) -> float:
        """Return the norm of the residual as a fraction of the norm of the mean row."""
        return float(np.linalg.norm(members.residual)) / self.length if self.length > 0 else 0.0


class _Round:
    """The rows of one round. A non-negative combination of them is fitted to `target`."""

    def __init__(self, G: FloatArray, target: FloatArray) -> None:
        self.G = G
        self.target = target
        self.residual = target
        self.members: list[int] = []
        self.weights = np.empty(0)
        self._fit: GrowingFit | None = GrowingFit(MOST)

    def add(self, row: int) -> None:
        """Add a row and fit the weights again."""
        own, others = self.G[row], self.G[self.members]
        self.members.append(row)
        if self._fit and self._fit.add(others @ own, float(own @ own), float(own @ self.target)):
            self.weights = self._fit.weights
        else:
            # a row that depends linearly on the others may still change which rows have weight 0
            from scipy.optimize import nnls

            self._fit = None
            self.weights = nnls(self.G[self.members].T, self.target)[0]
        self.residual = self.target - self.weights @ self.G[self.members]
