"""Reducers that need objects, for tests of the code that passes objects to reducers."""

from __future__ import annotations

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers.base import FitInput, ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, Pool


class ByObjects(ScoringReducer):
    """Images with the most boxes first; the reducer stores the table and the shape of the features that it got."""

    name = "by_objects"
    family = "test"
    cost = "n"
    source = "none"
    summary = "most boxes first"
    needs = ("objects",)
    deterministic = True
    seen: tuple[ObjectTable, tuple[int, ...]]

    def _prepare(self, problem: FitInput) -> FloatArray:
        type(self).seen = (problem.objects, problem.X.shape)
        return np.bincount(problem.objects.images, problem.objects.counts, minlength=len(problem.codes))

    def _score(self, pool: Pool) -> FloatArray:
        return pool.shared[pool.rows]


class ByVectors(ByObjects):
    """The same reducer, which refuses to run without vectors."""

    name = "by_vectors"
    needs = ("objects", "object_vectors")


class ByBoth(ByObjects):
    """The same reducer, which refuses to run without features."""

    name = "by_both"
    needs = ("features", "objects")
