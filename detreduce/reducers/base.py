"""The common base of all reducers: checks, seats, order and seeds are here, so that a method is one small class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from detreduce.errors import InputError
from detreduce.reducers.budget import check_keep, resolve_keep, seat_sequence
from detreduce.reducers.pool import FloatArray, IntArray, Pool, descending
from detreduce.reducers.validation import check_features, check_rows, check_seed, encode_categories, resolve_seed

MATRICES = ("features", "dynamics", "gradients")
"""What X may hold, as a method `needs` it: the scaled features of a table, or one block of it by that name."""


@dataclass
class Problem:
    """One call of `fit`, checked: what every method starts from.

    Attributes
    ----------
    X
        (n, d) float32 or float64, read-only; (n, 0) for methods that need no features.
    codes
        (n,) category numbers 0..C-1.
    labels
        The C labels, sorted.
    k
        Images to choose.
    initial
        (m,) rows chosen already, in order.
    seats
        (C,) images to choose in each category, `initial` included.
    seed
        What every draw is derived from.
    objects, groups
        As given to `fit`, for the methods that declare to use them.
    shared
        What the method computed once for all categories; each pool refers to it.
    """

    X: npt.NDArray[np.floating]
    codes: IntArray
    labels: list[Any]
    k: int
    initial: IntArray
    seats: IntArray
    seed: int
    objects: Any = None
    groups: Any = None
    shared: Any = None

    def pools(self) -> Iterator[Pool]:
        """Yield the categories one by one, in the order of their codes."""
        by_code = np.argsort(self.codes, kind="stable")
        ends = np.cumsum(np.bincount(self.codes, minlength=len(self.labels)))
        for code, (label, rows) in enumerate(zip(self.labels, np.split(by_code, ends[:-1]), strict=True)):
            X = self.X if len(rows) == len(self.X) else self.X[rows]
            mine = self.initial[self.codes[self.initial] == code]
            yield Pool(X, rows, code, label, int(self.seats[code]), np.searchsorted(rows, mine), self.seed, self.shared)


@dataclass
class Ranking:
    """What a method says of one category.

    Attributes
    ----------
    order
        Rows of the pool, best first, `initial` left out; at least `pool.wanted` of them.
    scores
        (n_c,) float64, higher = earlier in `order`, NaN = never looked at.
    """

    order: IntArray
    scores: FloatArray


class BaseReducer(BaseEstimator):
    """Chooses images; a method says in `_rank` which ones of one category, best first.

    A subclass declares the class attributes below and implements `_rank`; a method that gives every image a score
    extends `ScoringReducer` instead. Parameters are keyword-only, stored as given and checked in `_check_params`.

    Parameters
    ----------
    keep
        Images to keep: an int is a count, a float a fraction in (0, 1].
    random_state
        Seed of every draw, ties included: an int, a NumPy generator, or None for a fresh one.

    Attributes
    ----------
    selected_idx_ : (k,) int64
        Chosen rows, unique, in the order in which they were chosen.
    ranking_ : (m,) int64
        k <= m <= n; where the method is `nested`, every prefix is the selection at that smaller keep.
    scores_ : (n,) float64
        Comparable within a stratum (`strata_`), higher = chosen earlier, +inf for `initial`, NaN = never looked at.
    categories_ : list
        Labels of the categories, sorted.
    seats_ : (C,) int64
        Images chosen in each category.
    strata_ : (n,) int64
        What the seats were given to: the category number, or the cluster where the method ignores categories.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("features",)
    cost: ClassVar[str]
    source: ClassVar[str]
    summary: ClassVar[str]

    deterministic: ClassVar[bool]
    """Whether the seed decides nothing but ties."""
    nested: ClassVar[bool]
    """Whether every prefix of `ranking_` is the selection at that smaller keep."""
    order_dependent: ClassVar[bool] = False
    """Whether the order of the rows is part of the question."""
    uses_categories: ClassVar[bool] = True
    """Whether seats go to categories; if not, `strata_` says what they went to."""

    _ranks_all: ClassVar[bool] = False

    def __init__(self, *, keep: int | float = 0.25, random_state: Any = 0) -> None:
        self.keep = keep
        self.random_state = random_state

    def fit(
        self, X: Any, categories: Any = None, *, objects: Any = None, groups: Any = None, initial: Any = None
    ) -> Self:
        """Choose rows of X.

        Parameters
        ----------
        X
            (n, d) features of any float type. Methods that need none look at n only, and (n, 0) will do.
        categories
            (n,) numbers or strings; None is one category.
        objects
            What the object-wise methods need beside X; others refuse it.
        groups
            (n,) group of each row (video, sequence), for the methods that use it; others refuse it.
        initial
            Rows chosen already: they come first and count towards `keep` and their category's seats.

        Raises
        ------
        InputError
            For arrays, parameters or combinations that cannot be used.
        """
        self.check_params()
        problem = self._problem(X, categories, objects, groups, initial)
        n, codes, self.categories_ = len(problem.codes), problem.codes, problem.labels
        problem = self._stratify(problem)
        scores = np.full(n, np.nan)
        orders: list[IntArray] = []
        for pool, ranking in self._rank_all(problem):
            _check_ranking(ranking, pool, self._ranks_all)
            orders.append(pool.rows[ranking.order])
            scores[pool.rows] = ranking.scores
        scores[problem.initial] = np.inf
        length = n if self._ranks_all else problem.k
        self.ranking_ = self._interleave(problem, orders, length)
        self.selected_idx_ = self.ranking_[: problem.k].copy()
        self.scores_ = scores
        self.n_rows_in_ = n
        self.strata_ = problem.codes
        self.seats_ = np.bincount(codes[self.selected_idx_], minlength=len(self.categories_)).astype(np.int64)
        return self

    def get_support(self) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: which rows were chosen."""
        support = np.zeros(self.n_rows_in_, bool)
        support[self.selected_idx_] = True
        return support

    def check_params(self) -> None:
        """Check all parameters as far as that needs no data; `fit` does it too.

        Raises
        ------
        InputError
            For a `keep`, a `random_state` or a method's own parameter that cannot be used on any dataset.
        """
        check_keep(self.keep)
        check_seed(self.random_state)
        self._check_params()

    @classmethod
    def reads_matrix(cls) -> bool:
        """Whether the values in X matter; else only its number of rows does."""
        return any(matrix in cls.needs for matrix in MATRICES)

    @abstractmethod
    def _rank(self, pool: Pool) -> Ranking:
        """Rank the images of one category; called only where it has seats to fill."""

    def _check_params(self) -> None:
        """Raise InputError for the method's own parameters that cannot be used; for a subclass to fill in."""

    def _prepare(self, problem: Problem) -> Any:
        """Return what all categories share, computed before any is ranked; it is each pool's `shared`."""
        return problem.shared

    def _stratify(self, problem: Problem) -> Problem:
        """Return the problem with the strata that share the budget; by default the categories as given."""
        return problem

    def _seat_sequence(self, counts: IntArray, k: int, held: IntArray) -> IntArray:
        """Return the stratum of each of the k seats to give; by default Webster's rule."""
        return seat_sequence(counts, k, held)

    def _rank_all(self, problem: Problem) -> Iterator[tuple[Pool, Ranking]]:
        problem.shared = self._prepare(problem)
        for pool in problem.pools():
            if pool.wanted > 0 or (self._ranks_all and len(pool)):
                yield pool, self._rank(pool)
            else:
                yield pool, Ranking(np.empty(0, np.int64), np.full(len(pool), np.nan))

    def _problem(self, X: Any, categories: Any, objects: Any, groups: Any, initial: Any) -> Problem:
        for given, argument in ((objects, "objects"), (groups, "groups")):
            if given is not None and argument not in self.needs:
                raise InputError(f"The method {self.name!r} makes no use of {argument}=: leave it out.")
        features = check_features(X, needed=self.reads_matrix())
        n = len(features)
        k = resolve_keep(self.keep, n)
        chosen = check_rows(initial, n, "initial")
        if len(chosen) > k:
            raise InputError(f"initial has {len(chosen)} rows, more than the {k} that keep={self.keep!r} allows.")
        codes, labels = encode_categories(categories, n)
        problem = Problem(features, codes, labels, k, chosen, np.zeros(0, np.int64), resolve_seed(self.random_state))
        problem.objects, problem.groups = objects, groups
        return self._seated(problem)

    def _seated(self, problem: Problem) -> Problem:
        """Fill in the seats of each stratum."""
        counts, held = self._counts(problem)
        problem.seats = held + np.bincount(
            self._seat_sequence(counts, problem.k - len(problem.initial), held), minlength=len(counts)
        )
        return problem

    @staticmethod
    def _counts(problem: Problem) -> tuple[IntArray, IntArray]:
        size = len(problem.labels)
        held = np.bincount(problem.codes[problem.initial], minlength=size).astype(np.int64)
        return np.bincount(problem.codes, minlength=size).astype(np.int64), held

    def _interleave(self, problem: Problem, orders: list[IntArray], length: int) -> IntArray:
        """Put the strata's orders together as the seats were given, `initial` first."""
        counts, held = self._counts(problem)
        seats = self._seat_sequence(counts, length - len(problem.initial), held)
        ranking = np.empty(length, np.int64)
        ranking[: len(problem.initial)] = problem.initial
        rest = ranking[len(problem.initial) :]
        by_code = np.argsort(seats, kind="stable")
        taken = np.bincount(seats, minlength=len(counts))
        rest[by_code] = np.concatenate([order[:count] for order, count in zip(orders, taken, strict=True)])
        return ranking


class ScoringReducer(BaseReducer):
    """A method that gives every image of a category a score: one fit ranks all n, and serves every keep."""

    _ranks_all: ClassVar[bool] = True
    nested: ClassVar[bool] = True

    @abstractmethod
    def _score(self, pool: Pool) -> FloatArray:
        """Return (n_c,) scores, higher = chosen earlier; ties are drawn by the base."""

    def _rank(self, pool: Pool) -> Ranking:
        order, scores = descending(np.asarray(self._score(pool), np.float64), pool.priority)
        return Ranking(order[~np.isin(order, pool.initial)], scores)


def _check_ranking(ranking: Ranking, pool: Pool, complete: bool) -> None:
    # a mistake of a method, perhaps another package's; no fault of the caller
    order = np.asarray(ranking.order)
    wanted = len(pool) - len(pool.initial) if complete else pool.wanted
    if len(order) < wanted or len(np.unique(order)) != len(order) or np.isin(pool.initial, order).any():
        raise RuntimeError(f"category {pool.label!r}: the method ranked {len(order)} rows where {wanted} were wanted")
    if ranking.scores.shape != (len(pool),):
        raise RuntimeError(f"category {pool.label!r}: {ranking.scores.shape} scores for {len(pool)} rows")
