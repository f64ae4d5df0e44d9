"""Scores that are dear to have, computed on some images and given to the others by their nearest neighbours."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from detreduce.arrays.neighbour_scores import check_scores, extrapolate
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer, FitInput, ScoringReducer
from detreduce.reducers.engine.budget import check_keep, resolve_keep
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool, derive_rng
from detreduce.reducers.methods.srs import StratifiedRandom


class Extrapolated(ScoringReducer):
    """Another method's scores on a share of the images, given to the rest by their nearest neighbours.

    The method is run on a stratified random share, with its categories; each other image gets the mean score of its
    nearest neighbours of that share, within its category, or among all where the share has none of it. Or `scores` are
    known of some images already, from wherever. scores_ is as that method has it. Cf. arXiv 2406.13283.

    Parameters
    ----------
    scorer
        A method that scores every image from features: ``"fes"``, ``"nrmd"``, ``"phl"``. ``vps``, ``forgetting``,
        ``el2n`` and ``aum`` are extrapolated without this method: given the log of a proxy on a part of the images,
        they score the others by their 10 nearest. ``gradmatch`` is not: it matches the sum of the gradients, and an
        image has no score of its own there that its neighbours could be given.
    parameters
        That method's own parameters by name, or None.
    share
        Images to run it on: a fraction or a count, as for `keep`.
    neighbours
        Images whose mean is taken, at least 1.
    scores
        (n,) known scores, higher = chosen earlier, NaN = unknown; `scorer` and `share` are then not looked at.
    keep, random_state
        See BaseReducer; the seed draws the share and is the method's own.

    Attributes
    ----------
    known_ : (n,) bool
        Whose score was computed or given.
    """

    name = "extrapolate"
    family = "training"
    needs = ("features", "categories")
    cost = "the method's on the share, + n * n_share * d"
    source = "cf. arXiv 2406.13283, pruning scores extrapolated from a subset"
    summary = "what a costly method would choose, had it looked at more than a share of the images"
    keeps = "approximated choice"
    fails = "What neighbours in feature space do not share (wrong labels, single hard objects) is averaged away."
    deterministic = False

    def __init__(
        self,
        *,
        keep: int | float = 0.25,
        scorer: str = "fes",
        parameters: Mapping[str, Any] | None = None,
        share: int | float = 0.2,
        neighbours: int = 10,
        scores: Any = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.scorer = scorer
        self.parameters = parameters
        self.share = share
        self.neighbours = neighbours
        self.scores = scores

    def _check_params(self) -> None:
        count = self.neighbours
        if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1:
            raise InputError(f"neighbours={count!r} is not a count: give at least 1.")
        if not isinstance(self.parameters, Mapping | None):
            raise InputError(f"parameters={self.parameters!r}: give that method's own parameters by name, or None.")
        if self.scores is None:
            try:
                check_keep(self.share)
            except InputError as error:
                raise InputError(f"share: {error}") from None
            self._costly(0).check_params()

    def leave_rows(self, rows: IntArray, n: int) -> None:
        """Keep the known scores of the rows that are left."""
        if self.scores is not None and len(rows) < n:
            self.scores = check_scores(self.scores, n)[rows]

    def _costly(self, seed: int) -> BaseReducer:
        """The reducer whose scores are extrapolated."""
        from detreduce.reducers.registry import make_reducer, reducer_class

        own = dict(self.parameters or {})
        for name in ("keep", "random_state"):
            if name in own:
                raise InputError(
                    f"parameters: {name!r} is extrapolate's own; the method is run with share= and its seed."
                )
        cls = reducer_class(self.scorer)
        if "gradients" in cls.needs:
            raise InputError(
                f"scorer={self.scorer!r}: {self.scorer} matches the sum of gradients and gives no image a score of its "
                "own that its neighbours could have; use it by itself, on all images."
            )
        if "dynamics" in cls.needs:
            raise InputError(
                f"scorer={self.scorer!r}: {self.scorer} serves images that its proxy did not see by itself. Make the "
                "proxy on a share (detreduce reduce --method srs --keep 0.2, then detreduce proxy on the result) and "
                f"give its log to {self.scorer}."
            )
        if not issubclass(cls, ScoringReducer) or not {"features"} <= set(cls.needs) <= {"features", "categories"}:
            raise InputError(
                f"scorer={self.scorer!r} does not score every image by its features; "
                "give one that does, such as fes, or scores= of your own."
            )
        if issubclass(cls, Extrapolated):
            raise InputError("scorer='extrapolate' would extrapolate what is extrapolated; name another.")
        return make_reducer(self.scorer, keep=1.0, random_state=seed, **own)

    def _prepare(self, problem: FitInput) -> FloatArray:
        scores = self._known_scores(problem)
        self.known_ = ~np.isnan(scores)
        filled = scores.copy()
        with progress("extrapolate", int((~self.known_).sum()), "images") as advance:
            for pool in problem.pools():
                if self.known_[pool.rows].any():
                    filled[pool.rows] = extrapolate(scores[pool.rows], pool.X, int(self.neighbours), advance)
        lost = np.isnan(filled)
        if lost.any():
            filled[lost] = extrapolate(scores, problem.X, int(self.neighbours))[lost]
        return filled

    def _known_scores(self, problem: FitInput) -> FloatArray:
        n = len(problem.codes)
        if self.scores is not None:
            scores = check_scores(self.scores, n)
            if scores.ndim != 1:
                raise InputError(f"scores has shape {scores.shape}; one an image is needed: ({n},).")
            return scores
        rows = self._share_rows(problem)
        costly = self._costly(problem.seed).fit(problem.X[rows], problem.codes[rows])
        # infinite ones cannot be averaged: they become the extremes of the finite ones
        finite = costly.scores_[np.isfinite(costly.scores_)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
        scores = np.full(n, np.nan)
        scores[rows] = np.clip(costly.scores_, low, high)
        return scores

    def _share_rows(self, problem: FitInput) -> IntArray:
        """The rows of a stratified random share, ascending."""
        try:
            resolve_keep(self.share, len(problem.codes))
        except InputError as error:
            raise InputError(f"share: {error}") from None
        seed = int(derive_rng(problem.seed, "extrapolate").integers(2**31))
        drawn = StratifiedRandom(keep=self.share, random_state=seed).fit(problem.X, problem.codes)
        return np.sort(drawn.selected_idx_)

    def _score(self, pool: Pool) -> FloatArray:
        return pool.shared[pool.rows]
