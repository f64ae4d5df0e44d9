"""Stratified random sampling (srs)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.reducers.base import FitInput, ScoringReducer
from detreduce.reducers.engine.object_content import image_starts
from detreduce.reducers.engine.pool import FloatArray, Pool
from detreduce.reducers.engine.stratification import stratified_order

STRATA = ("categories", "classes")


class _NeedsOf:
    """`needs` where a parameter adds to it: nothing of the class, objects of an instance with ``by="classes"``."""

    def __get__(self, reducer: Any, cls: type) -> tuple[str, ...]:
        return ("objects",) if reducer is not None and reducer.by == "classes" else ()


class StratifiedRandom(ScoringReducer):
    """Stratified random sampling: images of each category, uniformly, without replacement.

    scores_ is a uniform draw of each image in [0, 1); by classes, 1 minus its place over the number of images. X is not
    looked at.

    Parameters
    ----------
    by
        ``"categories"``: within a category, every set of images is as likely. ``"classes"``: within a category, a
        random order in which every class has its share of every prefix, up to a few images, by halving again and again
        in the manner of iterative stratification (Sechidis et al. 2011); needs `objects`. With categories=None the
        classes are all that is stratified by.
    keep, random_state
        See BaseReducer; another seed draws another subset.
    """

    name = "srs"
    family = "statistic"
    needs: ClassVar[Any] = _NeedsOf()
    cost = "n log n"
    source = (
        "stratified random sampling; arXiv 2403.15150, family statistic; by classes cf. Sechidis et al. 2011 "
        "(doi 10.1007/978-3-642-23808-6_10)"
    )
    summary = "a draw with every category in proportion, the control to beat"
    keeps = "random"
    fails = "One draw says little, and near-duplicates stay as frequent as they were: use several seeds."
    deterministic = False

    def __init__(self, *, keep: int | float = 0.25, by: str = "categories", random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.by = by

    def _check_params(self) -> None:
        if self.by not in STRATA:
            raise InputError(f"by={self.by!r} is not one of {', '.join(STRATA)}.{nearest(str(self.by), STRATA)}")

    def _prepare(self, problem: FitInput) -> list[list[int]] | None:
        """Return the classes of each image, where it is by classes."""
        if problem.objects is None:
            return None
        starts = image_starts(problem.objects).tolist()
        classes = problem.objects.classes.tolist()
        return [classes[start:end] for start, end in pairwise(starts)]

    def _score(self, pool: Pool) -> FloatArray:
        if pool.shared is None:
            return pool.rng("srs").random(len(pool))
        scores = np.empty(len(pool))
        with progress(f"srs {pool.label}", len(pool), "images") as advance:
            order = stratified_order([pool.shared[row] for row in pool.rows], pool.rng("srs by classes"), advance)
        scores[order] = 1.0 - np.arange(len(pool)) / len(pool)
        return scores
