"""Base of the methods that look at the objects in the images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers.base import BaseReducer, FitInput
from detreduce.reducers.engine.object_content import content_column


class ObjectReducer(BaseReducer):
    """A greedy method on an ObjectTable.

    The classes do the balancing, so categories are ignored and all images are one stratum. Ties are broken by what the
    images hold, and a full group is left out while images are chosen.

    Parameters
    ----------
    keep, random_state
        See BaseReducer; the seed decides ties alone.
    """

    family = "objectwise"
    needs: ClassVar[tuple[str, ...]] = ("objects",)
    deterministic = True
    nested = True
    uses_categories = False
    _keeps_to_groups = True

    def _stratify(self, problem: FitInput) -> FitInput:
        table = objects_of(problem)
        columns = [table.counts] if table.vectors is None else [table.counts, table.vectors]
        content = content_column(table, *columns)
        return self._seated(replace(problem, X=content, codes=np.zeros(len(table), np.int64), labels=[0]))

    def _prepare(self, problem: FitInput) -> Any:
        return objects_of(problem)


def objects_of(problem: FitInput) -> ObjectTable:
    """Return the table of boxes that `fit` was given."""
    assert problem.objects is not None
    return problem.objects
