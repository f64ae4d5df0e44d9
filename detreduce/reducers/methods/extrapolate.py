"""Extrapolate: costly scores, computed for some images and extended to the others by nearest neighbours."""

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
    """The scores of another method on a share of the images, extended to the others by their nearest neighbours.

    That method runs on a stratified random share, with its categories. Every other image gets the mean score of its
    nearest neighbours in the share, within its category. If the share has no image of the category, neighbours come
    from all images. Alternatively, `scores` gives known scores of some images. scores_ means the same as for that
    method. Cf. arXiv 2406.13283.

    Parameters
    ----------
    scorer
        A method that scores every image from features: ``"fes"``, ``"nrmd"``, ``"phl"``. Do not use it for ``vps``,
        ``forgetting``, ``el2n`` and ``aum``: with the log of a proxy on some of the images, they extend scores to the
        others by their 10 nearest neighbours. It cannot be ``gradmatch``, which gives an image no score of its own.
    parameters
        Own parameters of that method by name, or None.
    share
        Images on which to run the method: a fraction or a count, as for `keep`.
    neighbours
        Number of neighbours to average, at least 1.
    scores
        (n,) known scores, higher = chosen earlier, NaN = unknown. `scorer` and `share` are then ignored.
    keep, random_state
        See BaseReducer; the seed draws the share and is also the seed of the method.

    Attributes
    ----------
    known_ : (n,) bool
        True where the score was computed or given.
    """

    name = "extrapolate"
    family = "training"
    needs = ("features", "categories")
    cost = "that of the method on the share, + n * n_share * d"
    source = "cf. arXiv 2406.13283, pruning scores extrapolated from a subset"
    summary = "the choice of a costly method, estimated from its scores on a share of the images"
    keeps = "approximated choice"
    fails = "Averaging hides what neighbours in feature space do not share: wrong labels, single hard objects."
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
            raise InputError(
                f"parameters={self.parameters!r} is not a mapping: give own parameters of the scorer by name."
            )
        if self.scores is None:
            try:
                check_keep(self.share)
            except InputError as error:
                raise InputError(f"share: {error}") from None
            self._costly(0).check_params()

    def leave_rows(self, rows: IntArray, n: int) -> None:
        """Keep the known scores of the rows that remain."""
        if self.scores is not None and len(rows) < n:
            self.scores = check_scores(self.scores, n)[rows]

    def _costly(self, seed: int) -> BaseReducer:
        """Return the reducer whose scores are extrapolated."""
        from detreduce.reducers.registry import make_reducer, reducer_class

        own = dict(self.parameters or {})
        for name in ("keep", "random_state"):
            if name in own:
                raise InputError(
                    f"parameters: {name!r} is not allowed; the scorer runs with share= and the seed of extrapolate."
                )
        cls = reducer_class(self.scorer)
        if "gradients" in cls.needs:
            raise InputError(
                f"scorer={self.scorer!r}: {self.scorer} gives an image no score of its own that could be extrapolated. "
                "Use it directly, on all images."
            )
        if "dynamics" in cls.needs:
            raise InputError(
                f"scorer={self.scorer!r}: {self.scorer} extrapolates by itself to images that its proxy did not see. "
                "Train the proxy on a share (detreduce reduce --method srs --keep 0.2, then detreduce proxy on the "
                f"result) and give its log to {self.scorer}."
            )
        if not issubclass(cls, ScoringReducer) or not {"features"} <= set(cls.needs) <= {"features", "categories"}:
            raise InputError(
                f"scorer={self.scorer!r} does not score every image by its features: "
                "give a method that does, such as fes, or your own scores=."
            )
        if issubclass(cls, Extrapolated):
            raise InputError("scorer='extrapolate' cannot extrapolate itself: name another method.")
        return make_reducer(self.scorer, keep=1.0, random_state=seed, **own)

    def _prepare(self, problem: FitInput) -> FloatArray:
        scores = self._known_scores(problem)
        self.known_ = ~np.isnan(scores)
        filled = scores.copy()
        with progress("extrapolate", int((~self.known_).sum()), "images") as advance:
            for pool in problem.pools():
                if self.known_[pool.rows].any():
                    filled[pool.rows] = extrapolate(scores[pool.rows], pool.X, int(self.neighbours), advance)
        missing = np.isnan(filled)
        if missing.any():
            filled[missing] = extrapolate(scores, problem.X, int(self.neighbours))[missing]
        return filled

    def _known_scores(self, problem: FitInput) -> FloatArray:
        n = len(problem.codes)
        if self.scores is not None:
            scores = check_scores(self.scores, n)
            if scores.ndim != 1:
                raise InputError(f"scores has shape {scores.shape}, but needs one number for each image: ({n},).")
            return scores
        rows = self._share_rows(problem)
        costly = self._costly(problem.seed).fit(problem.X[rows], problem.codes[rows])
        # infinite scores cannot be averaged: they become the extremes of the finite ones
        finite = costly.scores_[np.isfinite(costly.scores_)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
        scores = np.full(n, np.nan)
        scores[rows] = np.clip(costly.scores_, low, high)
        return scores

    def _share_rows(self, problem: FitInput) -> IntArray:
        """Return the rows of a stratified random share, ascending."""
        try:
            resolve_keep(self.share, len(problem.codes))
        except InputError as error:
            raise InputError(f"share: {error}") from None
        seed = int(derive_rng(problem.seed, "extrapolate").integers(2**31))
        drawn = StratifiedRandom(keep=self.share, random_state=seed).fit(problem.X, problem.codes)
        return np.sort(drawn.selected_idx_)

    def _score(self, pool: Pool) -> FloatArray:
        return pool.shared[pool.rows]
