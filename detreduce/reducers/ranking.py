"""Reducers that rank every image by a score of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detreduce.errors import InputError, nearest
from detreduce.progress import progress
from detreduce.reducers.base import Problem, ScoringReducer
from detreduce.reducers.decomposition import DECOMPOSITIONS, Rows, mirror_scores
from detreduce.reducers.pool import FloatArray, Pool


class NumerosityReduction(ScoringReducer):
    """Numerosity reduction by matrix decomposition: the images least explained by the strong directions.

    For a matrix A = U S V' with images as columns a_j of unit length,
    score_j = sum_i w_i * -log(max(|a_j . u_i|, 1e-3)) with w_i = (1 / s_i) / sum(1 / s). scores_ is the score in the
    matrix of the image's category times that in the matrix of all images with the one-hot category under the features.

    Parameters
    ----------
    decomposition
        ``"svd"``; ``"qr"`` with column pivoting, u_i and s_i from Q and the diagonal of R; ``"nmf"`` of the shifted
        features, 16 components.
    as_released
        The highest scores of all images, whatever their category: small categories may vanish.
    keep, random_state
        See BaseReducer; the seed decides ties alone.
    """

    name = "nrmd"
    family = "ranking"
    cost = "n * d^2"
    source = "Ghojogh and Crowley 2019, numerosity reduction by matrix decomposition; arXiv 2403.15150, family ranking"
    summary = "the images that a low-rank view of their category explains least: unusual"
    deterministic = True

    def __init__(
        self,
        *,
        keep: int | float = 0.25,
        decomposition: str = "svd",
        as_released: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.decomposition = decomposition
        self.as_released = as_released

    def _check_params(self) -> None:
        if self.decomposition not in DECOMPOSITIONS:
            hint = nearest(str(self.decomposition), DECOMPOSITIONS)
            raise InputError(f"decomposition={self.decomposition!r} is not one of {', '.join(DECOMPOSITIONS)}.{hint}")

    def _stratify(self, problem: Problem) -> Problem:
        scores = np.empty(len(problem.codes))
        with progress("nrmd", len(problem.labels) + 1, "matrices") as advance:
            for pool in problem.pools():
                scores[pool.rows] = mirror_scores(Rows(pool.X), self.decomposition)
                advance()
            joint = Rows(problem.X, problem.codes, len(problem.labels))
            scores *= mirror_scores(joint, self.decomposition)
        problem = replace(problem, shared=scores)
        if self.as_released:
            return self._seated(replace(problem, codes=np.zeros_like(problem.codes), labels=[0]))
        return problem

    def _score(self, pool: Pool) -> FloatArray:
        return pool.shared[pool.rows]
