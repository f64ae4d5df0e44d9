"""Extrapolate: let a slow method score some images, and estimate the other scores from similar images."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from detreduce.arrays.neighbour_scores import check_scores, extrapolate
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer, ScoringReducer
from detreduce.reducers.engine.budget import check_keep, resolve_keep
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool, derive_rng
from detreduce.reducers.engine.ranking import FitInput
from detreduce.reducers.methods.srs import StratifiedRandom

HELD_BACK = 0.1
"""Share of the known scores that are estimated as if they were unknown, to measure how good the estimates are."""
LEAST_HELD_BACK = 20


class Extrapolated(ScoringReducer):
    """Extrapolation: a slow method scores a sample of the images, and the other scores are estimated from neighbours.

    The slow method is called the scorer. It scores a random sample that has the same proportions of image categories as
    the full set. Every image outside the sample gets the mean score of its nearest neighbours in the sample, within its
    category. If the sample does not have images of the category, the neighbours come from all categories. Instead of a
    scorer, you can pass the known scores of some images as `scores`. scores_ has the same meaning as scores_ of the
    scorer. Cf. arXiv 2406.13283.

    Parameters
    ----------
    scorer
        A method that scores every image from features: ``"fes"``, ``"nrmd"`` or ``"phl"``. A method that uses a proxy
        training cannot be a scorer. Use such a method directly: ``vps``, ``forgetting``, ``el2n`` and ``aum`` already
        estimate missing scores from neighbours. ``gradmatch`` does not score every image.
    parameters
        Parameters of the scorer by name, or None.
    share
        Size of the sample that the scorer scores: a fraction or a count, as for `keep`.
    neighbours
        Number of neighbours whose scores are averaged, at least 1.
    scores
        (n,) known scores. Images with a higher score are chosen earlier, and NaN means unknown. With `scores`, `scorer`
        and `share` are ignored.
    keep, random_state
        See BaseReducer. The seed chooses the sample and is also the seed of the scorer.

    Attributes
    ----------
    known_ : (n,) bool
        True if the score of the image was computed by the scorer or passed in `scores`.
    facts_ : dict
        How good the estimates are. For this test, a part of the known scores is hidden and estimated from the other
        known scores. The part is a tenth, but at least 20 scores and at most half of the scores. ``rank_correlation``
        is Spearman's correlation of the estimated and the hidden scores. It is None if all estimated or all hidden
        scores are equal. ``held_back`` is the number of hidden scores. ``scored`` is the number of known scores. The
        dict is empty if no score has to be estimated, or if fewer than 6 scores are known.
    """

    name = "extrapolate"
    family = "training"
    needs = ("features", "categories")
    cost = "n * n_share * d, plus the cost of the slow method (scorer) on the sample"
    source = "cf. arXiv 2406.13283, pruning scores extrapolated from a subset"
    summary = "the images that a slow method would choose, estimated from its scores for a sample of the images"
    keeps = "approximated choice"
    fails = "An average over neighbours hides a wrong label or a single hard object in one image."
    no_partitions = "it only scores a sample, and `share` sets its size"
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
            raise InputError(f"neighbours={count!r} is not a number of neighbours. Use an integer of at least 1.")
        if not isinstance(self.parameters, Mapping | None):
            raise InputError(
                f"parameters={self.parameters!r} is not a mapping. Pass the parameters of the scorer by name."
            )
        if self.scores is None:
            try:
                check_keep(self.share)
            except InputError as error:
                raise InputError(f"share: {error}") from None
            self._costly(0).check_params()

    def leave_rows(self, rows: IntArray, n: int) -> None:
        """Leave only the scores of the remaining `rows` in the parameter `scores`."""
        if self.scores is not None and len(rows) < n:
            self.scores = check_scores(self.scores, n)[rows]

    def _costly(self, seed: int) -> BaseReducer:
        """Create the slow method (`scorer`) whose scores are extrapolated, and check its parameters."""
        from detreduce.reducers.registry import make_reducer, reducer_class

        own = dict(self.parameters or {})
        for name, instead in (
            ("keep", "To set how many images the scorer scores, use share="),
            ("random_state", "The scorer uses the seed of extrapolate"),
        ):
            if name in own:
                raise InputError(f"parameters: {name!r} cannot be set here. Remove it. {instead}.")
        cls = reducer_class(self.scorer)
        if "gradients" in cls.needs:
            raise InputError(
                f"scorer={self.scorer!r} is not possible, because {self.scorer} does not score every image. "
                f"Use {self.scorer} directly, on all images."
            )
        if "dynamics" in cls.needs:
            raise InputError(
                f"scorer={self.scorer!r} is not possible, because {self.scorer} already estimates missing scores from "
                f"neighbours. Use {self.scorer} directly. To train the proxy on a sample of the images only, run "
                "`detreduce reduce --method srs --keep 0.2`, then run `detreduce proxy` on the result."
            )
        if not issubclass(cls, ScoringReducer) or not {"features"} <= set(cls.needs) <= {"features", "categories"}:
            raise InputError(
                f"scorer={self.scorer!r} is not possible, because it does not score every image from its features. "
                "Use a method that does, such as fes, or pass your own scores=."
            )
        if issubclass(cls, Extrapolated):
            raise InputError("scorer='extrapolate' is not possible. Use another method as scorer.")
        return make_reducer(self.scorer, keep=1.0, random_state=seed, **own)

    def _prepare(self, problem: FitInput) -> FloatArray:
        scores = self._known_scores(problem)
        self.known_ = ~np.isnan(scores)
        self.facts_ = self._try_out(scores, problem)
        with progress("extrapolate", int((~self.known_).sum()), "images") as advance:
            return self._fill(scores, problem, advance)

    def _fill(
        self, scores: FloatArray, problem: FitInput, advance: Callable[[int], object] = lambda _: None
    ) -> FloatArray:
        """Return (n,) the scores, in which estimates replace NaN."""
        filled, known = scores.copy(), ~np.isnan(scores)
        for pool in problem.pools():
            if known[pool.rows].any():
                filled[pool.rows] = extrapolate(scores[pool.rows], pool.X, int(self.neighbours), advance)
        missing = np.isnan(filled)
        if missing.any():
            filled[missing] = extrapolate(scores, problem.X, int(self.neighbours))[missing]
        return filled

    def _try_out(self, scores: FloatArray, problem: FitInput) -> dict[str, Any]:
        """Estimate some known scores as if they were unknown, and return how good the estimates are.

        The result is empty if no score has to be estimated, or if too few scores are known.
        """
        known = np.flatnonzero(~np.isnan(scores))
        count = min(max(round(HELD_BACK * len(known)), LEAST_HELD_BACK), len(known) // 2)
        if len(known) == len(scores) or count < 3:
            return {}
        held = np.sort(derive_rng(problem.seed, "extrapolate, held back").choice(known, count, replace=False))
        hidden = scores.copy()
        hidden[held] = np.nan
        estimated, true = self._fill(hidden, problem)[held], scores[held]
        constant = np.ptp(estimated) == 0 or np.ptp(true) == 0
        rho = None if constant else float(spearmanr(estimated, true).statistic)
        return {"held_back": int(count), "scored": len(known), "rank_correlation": rho}

    def _known_scores(self, problem: FitInput) -> FloatArray:
        """Return (n,) the scores from `scores` or from the slow method. Images without a known score have NaN."""
        n = len(problem.codes)
        if self.scores is not None:
            scores = check_scores(self.scores, n)
            if scores.ndim != 1:
                raise InputError(f"scores has shape {scores.shape}, but must have one number for each image: ({n},).")
            return scores
        rows = self._share_rows(problem)
        costly = self._costly(problem.seed).fit(problem.X[rows], problem.codes[rows])
        # infinite scores cannot be averaged, so replace them by the smallest or largest finite score
        finite = costly.scores_[np.isfinite(costly.scores_)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
        scores = np.full(n, np.nan)
        scores[rows] = np.clip(costly.scores_, low, high)
        return scores

    def _share_rows(self, problem: FitInput) -> IntArray:
        """Return the rows of a random sample with the same proportions of categories, in ascending order."""
        try:
            resolve_keep(self.share, len(problem.codes))
        except InputError as error:
            raise InputError(f"share: {error}") from None
        seed = int(derive_rng(problem.seed, "extrapolate").integers(2**31))
        drawn = StratifiedRandom(keep=self.share, random_state=seed).fit(problem.X, problem.codes)
        return np.sort(drawn.selected_idx_)

    def _score(self, pool: Pool) -> FloatArray:
        return pool.shared[pool.rows]
