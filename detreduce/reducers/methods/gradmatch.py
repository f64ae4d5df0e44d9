"""GradMatch: images whose gradients, weighted, add up to the gradient of all."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import BaseReducer, FitInput, Ranking
from detreduce.reducers.engine.nnls import GrowingFit
from detreduce.reducers.engine.order_scores import place_scores
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool, best

BY = ("cosine", "product")
MOST = 512
"""Members of one round at most: their factor takes 1 MiB."""
ROUNDING = 1e-12
"""Less of the mean than this is none."""


@dataclass
class Pursuit:
    """What `matching_pursuit` chose.

    Attributes
    ----------
    order
        (k,) rows, in the order chosen.
    weights
        (n,) weight of each chosen row, and of those chosen before, in its round's fit of the mean gradient; else 0.
    residuals
        (k,) norm of what the round's fit left of the mean gradient after each pick, as a share of that gradient's.
    left
        (n,) how well each row agrees with what is matched after the last pick; -inf for the rows chosen.
    """

    order: IntArray
    weights: FloatArray
    residuals: FloatArray
    left: FloatArray


def matching_pursuit(
    G: FloatArray,
    initial: IntArray,
    count: int,
    priority: IntArray,
    tolerance: float = 0.1,
    by: str = "cosine",
    advance: Callable[[int], object] = lambda _: None,
) -> Pursuit:
    """Choose rows of G by orthogonal matching pursuit of their mean, with non-negative weights.

    A pick is the row that agrees best with what is left of the mean, and the weights are then fitted anew. Once what is
    left is at most `tolerance` of the mean, no row agrees with it, or there are 512 members, a new round begins: the
    same target, from the rows not chosen yet. So any count can be had, however few columns G has, and memory does not
    grow with its square.

    Parameters
    ----------
    G
        (n, d) float64 gradients.
    initial
        Rows chosen before: members of rounds of 512, of which the last is gone on with.
    count
        Rows to choose, at most n without `initial`.
    priority
        (n,) breaks ties, lowest first.
    tolerance
        In [0, 1).
    by
        What agrees best: of the largest ``"cosine"`` with what is left, or of the largest ``"product"``.
    advance
        Called with the number of picks made.
    """
    target = G.mean(axis=0)
    whole = float(np.linalg.norm(target))
    taken = np.zeros(len(G), bool)
    taken[initial] = True
    order, residuals = np.empty(count, np.int64), np.empty(count)
    weights = np.zeros(len(G))
    norms = np.linalg.norm(G, axis=1) if by == "cosine" else np.ones(len(G))
    norms[norms == 0] = 1.0

    def agreement(left: FloatArray) -> FloatArray:
        found = G @ left / norms
        found[taken] = -np.inf
        return found

    def look(members: _Round) -> tuple[FloatArray, int, bool]:
        """What agrees with what a round leaves, the best of it, and whether it is that of a new round."""
        agrees = agreement(members.left)
        row = best(agrees, priority)
        done = members.share(whole) <= max(tolerance, ROUNDING) or len(members.members) >= MOST
        if members.members and (done or agrees[row] <= 0):
            agrees = agreement(target)
            return agrees, best(agrees, priority), True
        return agrees, row, False

    current = _Round(G, target)
    for row in initial[len(initial) - len(initial) % MOST :]:
        current.add(int(row))
    for pick in range(count):
        _, row, over = look(current)
        if over:
            weights[current.members] = current.weights
            current = _Round(G, target)
        current.add(row)
        taken[row] = True
        order[pick], residuals[pick] = row, current.share(whole)
        advance(1)
    weights[current.members] = current.weights
    return Pursuit(order, weights, residuals, look(current)[0])


class _Round:
    """Members whose non-negative combination is fitted to the target."""

    def __init__(self, G: FloatArray, target: FloatArray) -> None:
        self.G = G
        self.target = target
        self.left = target
        self.members: list[int] = []
        self.weights = np.empty(0)
        self._fit: GrowingFit | None = GrowingFit(MOST)

    def add(self, row: int) -> None:
        """Take a row, and fit anew."""
        own, others = self.G[row], self.G[self.members]
        self.members.append(row)
        if self._fit and self._fit.add(others @ own, float(own @ own), float(own @ self.target)):
            self.weights = self._fit.weights
        else:
            # a member that depends on the others may still free one of them of a weight of 0
            from scipy.optimize import nnls

            self._fit = None
            self.weights = nnls(self.G[self.members].T, self.target)[0]
        self.left = self.target - self.weights @ self.G[self.members]

    def share(self, whole: float) -> float:
        """What is left of the target, as a share of its norm."""
        return float(np.linalg.norm(self.left)) / whole if whole > 0 else 0.0


class GradMatch(BaseReducer):
    """GradMatch: orthogonal matching pursuit of the category's mean gradient.

    X is the block `gradients`: a detector's gradient at each image. Per category, always the image whose gradient
    agrees best with what the chosen ones, with the best non-negative weights, leave of the mean; rounds as in
    `matching_pursuit`. scores_ is minus the place at which an image was chosen in its category; the others follow, by
    how well they agree with what is left after the last pick. Killamsetty et al. 2021. Memory: one float64 copy of a
    category's gradients, 4 KiB an image at 512 columns.

    Parameters
    ----------
    tolerance
        A round ends once so little of the mean gradient is left, as a share in [0, 1).
    by
        ``"cosine"``: of gradients in one direction the long ones are not preferred, which suits a training without
        weights. ``"product"``: the paper's; long gradients come first and get small weights.
    keep, random_state
        See BaseReducer; the seed decides ties alone.

    Attributes
    ----------
    weights_ : (n,) float64
        Weight of each chosen image in its round, 0 for the others; `detreduce.train` does not use them.
    residuals_ : dict
        Category label -> share of the mean gradient left after each pick.
    """

    name = "gradmatch"
    family = "training"
    needs = ("gradients",)
    cost = "k * n_c * d, after a proxy training and a pass for gradients"
    source = "GRAD-MATCH, Killamsetty et al. 2021 (ICML, arXiv 2103.00123); cf. arXiv 2006.05929"
    summary = "images whose gradients together pull a half-trained detector where all would"
    keeps = "varied gradients"
    fails = "Matches one moment of the proxy, and with weights that the training then lacks: random may match as well."
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
            raise InputError(f"tolerance={value!r} is not a share in [0, 1).")
        if self.by not in BY:
            raise InputError(f"by={self.by!r} is neither 'cosine' nor 'product'.{nearest(str(self.by), BY)}")

    def _prepare(self, problem: FitInput) -> None:
        self.weights_ = np.zeros(len(problem.codes))
        self.residuals_: dict[Any, FloatArray] = {}

    def _rank(self, pool: Pool) -> Ranking:
        G = np.array(pool.X, np.float64)
        largest = float(max(G.max(), -G.min()))
        # a power of two changes no digit, and the weights do not depend on a common factor
        G *= 2.0 ** -np.ceil(np.log2(largest or 1.0))
        with progress(f"gradmatch {pool.label}", pool.wanted, "images") as advance:
            found = matching_pursuit(
                G, pool.initial, pool.wanted, pool.priority, float(self.tolerance), self.by, advance
            )
        self.weights_[pool.rows] = found.weights
        self.residuals_[pool.label] = found.residuals
        return Ranking(found.order, place_scores(found.order, found.left))
