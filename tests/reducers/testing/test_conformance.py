"""Every registered reducer through every check of the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detreduce.reducers import list_reducers, reducer_class
from detreduce.reducers.base import BaseReducer, Ranking
from detreduce.reducers.engine.pool import Pool
from detreduce.reducers.testing import conformance

QUICK: dict[str, dict[str, Any]] = {
    "fes": {"epochs": 3},
    "extrapolate": {"parameters": {"epochs": 2}, "share": 0.5},
}


def subject_of(name: str) -> conformance.Subject:
    cls = reducer_class(name)
    matrix = next((MATRICES[need] for need in cls.needs if need in MATRICES), unchanged)
    return conformance.Subject(cls, QUICK.get(name, {}), matrix=matrix)


def unchanged(X: Any) -> Any:
    return X


def dynamics(X: Any) -> Any:
    """Return a block `dynamics` whose columns repeat the columns of X; every image has a box."""
    table = np.asarray(X)
    return np.hstack([np.tile(table, (1, 12))[:, :12], np.ones((len(table), 1))]) if table.ndim == 2 else table


def columns(count: int) -> Callable[[Any], Any]:
    """Return a function that makes a block of scores from X: each column is the sum of each row of X."""

    def sums(X: Any) -> Any:
        table = np.asarray(X)
        return (
            np.repeat(table.sum(axis=1, keepdims=True), count, axis=1) if table.ndim == 2 and table.shape[1] else table
        )

    return sums


MATRICES: dict[str, Callable[[Any], Any]] = {
    "dynamics": dynamics,
    "uncertainty": columns(3),
    "disagreement": columns(1),
}


def _parity(X: Any, categories: Any) -> dict[str, Any]:
    """Two sequences, by the contents of the rows."""
    return {"groups": [sum(np.asarray(row, float).tobytes()) % 2 for row in X]}


SUBJECTS = {name: subject_of(name) for name in list_reducers()}
SUBJECTS |= {
    "srs by classes": conformance.Subject(reducer_class("srs"), {"by": "classes"}),
    "class_coverage by size": conformance.Subject(reducer_class("class_coverage"), {"by_size": True}),
    "csod, diverse": conformance.Subject(reducer_class("csod"), {"balance": 0.2}),
    "herding, class means": conformance.Subject(reducer_class("herding"), {"match": "class_means"}),
    "facility, few neighbours": conformance.Subject(reducer_class("facility"), {"neighbours": 3}),
    "stride in groups": conformance.Subject(reducer_class("stride"), {}, _parity),
}


@pytest.mark.filterwarnings("ignore:.* with one category is random")
@pytest.mark.parametrize("check", conformance.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SUBJECTS)
def test_conformance(name: str, check: Any) -> None:
    check(SUBJECTS[name])


class Backwards(BaseReducer):
    name = "backwards"
    family = "test"
    cost = "n"
    source = "here"
    summary = "the last rows"
    deterministic = True
    nested = True
    order_dependent = True

    def _rank(self, pool: Pool) -> Ranking:
        rows = np.arange(len(pool))[::-1]
        return Ranking(rows[~np.isin(rows, pool.initial)], np.arange(len(pool), dtype=float))


def test_public_helper_accepts_a_sound_reducer() -> None:
    conformance.check_reducer(Backwards)


class HidesOrder(Backwards):
    order_dependent = False


class HidesSeed(Backwards):
    def _rank(self, pool: Pool) -> Ranking:
        draw = pool.rng("x").random(len(pool))
        rows = np.argsort(-draw)
        return Ranking(rows[~np.isin(rows, pool.initial)], draw)


class HidesBudget(Backwards):
    def _rank(self, pool: Pool) -> Ranking:
        rows = np.roll(np.arange(len(pool)), pool.seats)
        return Ranking(rows[~np.isin(rows, pool.initial)], np.zeros(len(pool)))


class Stateful(Backwards):
    def __init__(self, *, keep: Any = 0.25, random_state: Any = 0) -> None:
        super().__init__(keep=keep, random_state=str(random_state))


class Repeats(Backwards):
    def _rank(self, pool: Pool) -> Ranking:
        return Ranking(np.zeros(len(pool), np.int64), np.zeros(len(pool)))


class UpsideDown(Backwards):
    def _rank(self, pool: Pool) -> Ranking:
        ranking = super()._rank(pool)
        return Ranking(ranking.order, -ranking.scores)


class Vandal(Backwards):
    def _rank(self, pool: Pool) -> Ranking:
        pool.X[0] = 0
        return super()._rank(pool)


@pytest.mark.parametrize(
    ("cls", "check"),
    [
        (HidesOrder, "check_rows_permuted"),
        (HidesSeed, "check_seed_matters_only_if_stochastic"),
        (HidesBudget, "check_prefixes"),
        (Stateful, "check_estimator"),
        (Repeats, "check_exact_budget"),
        (UpsideDown, "check_scores_follow_order"),
        (Vandal, "check_exact_budget"),
    ],
)
def test_each_fault_is_found(cls: type[BaseReducer], check: str) -> None:
    with pytest.raises((AssertionError, ValueError, RuntimeError)):
        getattr(conformance, check)(conformance.Subject(cls))
    with pytest.raises(AssertionError, match=cls.__name__):
        conformance.check_reducer(cls)
