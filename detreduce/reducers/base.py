"""The common base of all reducers. It handles checks, seats, order and seeds, so that a method is one small class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from detreduce.arrays.object_table import ObjectTable
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.engine.budget import check_keep, occurrence, resolve_keep, seat_sequence
from detreduce.reducers.engine.groups import Groups, fill_seats, make_groups
from detreduce.reducers.engine.ordering import descending
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.validation import (
    check_features,
    check_objects,
    check_rows,
    check_seed,
    encode_categories,
    resolve_seed,
)

MATRICES = ("features", "dynamics", "gradients")
"""What X can be, by the name in `needs`: the scaled features of a table, or the block of that name."""


@dataclass
class FitInput:
    """The checked input of one call of `fit`.

    Attributes
    ----------
    X
        (n, d) float32 or float64, read-only; (n, 0) for methods that need no features.
    codes
        (n,) category numbers 0..C-1.
    labels
        The C labels, sorted.
    k
        Number of images to choose.
    initial
        (m,) rows chosen before, in order.
    seats
        (C,) number of images to choose in each category, including `initial`.
    seed
        Seed of every draw.
    objects
        The ObjectTable that `fit` got, for methods that need it.
    groups
        The group of each image, and the largest number to choose from one group.
    shared
        What `_prepare` returned; each pool refers to it.
    """

    X: npt.NDArray[np.floating]
    codes: IntArray
    labels: list[Any]
    k: int
    initial: IntArray
    seats: IntArray
    seed: int
    objects: ObjectTable | None = None
    groups: Groups | None = None
    shared: Any = None

    @property
    def limited(self) -> bool:
        """Whether the number of images from one group is limited."""
        return self.groups is not None and self.groups.most is not None

    def pools(self, wanted: Collection[int] | None = None) -> Iterator[Pool]:
        """Yield a pool for each category, or for those `wanted`, in the order of their codes."""
        remaining = self.groups.remaining(self.initial) if self.groups and self.limited else None
        by_code = np.argsort(self.codes, kind="stable")
        ends = np.cumsum(np.bincount(self.codes, minlength=len(self.labels)))
        for code, (label, rows) in enumerate(zip(self.labels, np.split(by_code, ends[:-1]), strict=True)):
            if wanted is not None and code not in wanted:
                continue
            initial = np.searchsorted(rows, self.initial[self.codes[self.initial] == code])
            groups = self.groups.codes[rows] if self.groups and remaining is not None else None
            yield Pool(
                self.X, rows, code, label, int(self.seats[code]), initial, self.seed, self.shared, groups, remaining
            )


Problem = FitInput  # its first name, which methods of other packages may import


@dataclass
class Ranking:
    """The result of a method for one category.

    Attributes
    ----------
    order
        Rows of the pool, best first, without `initial`; at least `pool.wanted` of them.
    scores
        (n_c,) float64, higher = earlier in `order`, NaN = not computed.
    """

    order: IntArray
    scores: FloatArray


class BaseReducer(BaseEstimator):
    """Base of all methods. A subclass ranks the images of one category in `_rank`.

    A subclass declares the class attributes below and implements `_rank`. A method that gives every image a score
    extends `ScoringReducer` instead. Parameters are keyword-only, stored unchanged and checked in `_check_params`.

    Parameters
    ----------
    keep
        Images to keep: an int is a count, a float a fraction in (0, 1].
    random_state
        Seed of every draw, also among ties: an int, a NumPy generator, or None for a fresh seed.

    Attributes
    ----------
    selected_idx_ : (k,) int64
        Chosen rows, unique, in the order chosen.
    ranking_ : (m,) int64
        Ranked rows, k <= m <= n. If the method is `nested`, every prefix is the selection at that smaller keep.
    scores_ : (n,) float64
        Comparable within a stratum (`strata_`), higher = chosen earlier, +inf for `initial`, NaN = not computed.
    categories_ : list
        Labels of the categories, sorted.
    seats_ : (C,) int64
        Number of images chosen in each category.
    strata_ : (n,) int64
        The stratum of each image, to which seats are given: its category number, or for instance its cluster if the
        method ignores categories.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("features",)
    cost: ClassVar[str]
    source: ClassVar[str]
    summary: ClassVar[str]
    keeps: ClassVar[str] = ""
    """The kind of images it keeps, in one or two words."""
    fails: ClassVar[str] = ""
    """When it fails or disappoints, in a sentence or two."""

    deterministic: ClassVar[bool]
    """Whether the seed only breaks ties."""
    has_ties: ClassVar[bool] = True
    """Whether ties can occur. A `deterministic` method without ties does not use the seed."""
    nested: ClassVar[bool]
    """Whether every prefix of `ranking_` is the selection at that smaller keep."""
    order_dependent: ClassVar[bool] = False
    """Whether the order of the rows is part of the input."""
    uses_categories: ClassVar[bool] = True
    """Whether seats go to categories; if not, `strata_` says where they went."""
    uses: ClassVar[tuple[str, ...]] = ()
    """Optional inputs, `objects` or `groups`; those in `needs` are required."""

    _ranks_all: ClassVar[bool] = False
    _keeps_to_groups: ClassVar[bool] = False
    """Whether `_rank` uses `Openings`, so that its order never has more of a group than allowed."""

    def __init__(self, *, keep: int | float = 0.25, random_state: Any = 0) -> None:
        self.keep = keep
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        categories: Any = None,
        *,
        objects: Any = None,
        groups: Any = None,
        initial: Any = None,
        max_per_group: int | None = None,
    ) -> Self:
        """Choose rows of X.

        With `max_per_group`, each seat goes to the best image of its category whose group is not full. A category
        without such an image gives its seat to the next category. Most greedy methods leave out the images of full
        groups while they choose. Other methods (those that score, ``prd``, ``gradmatch``) rank all images first, and
        images of full groups are skipped. `scores_` has the scores of skipped images too.

        Parameters
        ----------
        X
            (n, d) features of any float type. Methods that need no features accept (n, 0).
        categories
            (n,) numbers or strings; None is one category.
        objects
            An ObjectTable of the n images. Methods that do not use objects refuse it.
        groups
            (n,) group of each row (a video). Refused without `max_per_group`, unless the method uses groups.
        initial
            Rows chosen before. They come first and count towards `keep`, the seats of their category and their group.
        max_per_group
            Largest number of images to choose from one group; None is no limit.

        Raises
        ------
        InputError
            For arrays, parameters or combinations that cannot be used, and if `max_per_group` leaves fewer images than
            `keep` asks for.
        """
        self.check_params()
        problem = self._problem(X, categories, objects, groups, initial, max_per_group)
        n, codes, self.categories_ = len(problem.codes), problem.codes, problem.labels
        problem = self._stratify(problem)
        self.ranking_, self.scores_ = self._ranked(problem)
        self.selected_idx_ = self.ranking_[: problem.k].copy()
        self.n_rows_in_ = n
        self.strata_ = problem.codes
        self.seats_ = np.bincount(codes[self.selected_idx_], minlength=len(self.categories_)).astype(np.int64)
        return self

    def get_support(self) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: True for chosen rows."""
        support = np.zeros(self.n_rows_in_, bool)
        support[self.selected_idx_] = True
        return support

    def check_params(self) -> None:
        """Check all parameters as far as possible without data; `fit` calls it too.

        Raises
        ------
        InputError
            For a `keep`, a `random_state` or another parameter that no dataset allows.
        """
        check_keep(self.keep)
        check_seed(self.random_state)
        self._check_params()

    @classmethod
    def reads_matrix(cls) -> bool:
        """Return whether the method reads the values of X; if not, only the number of rows matters."""
        return any(matrix in cls.needs for matrix in MATRICES)

    def check_given(self, *, objects: bool = False, groups: bool = False, limited: bool = False) -> None:
        """Check that the method uses what `fit` will get; `limited` means that `max_per_group` is given.

        Raises
        ------
        InputError
            For objects or groups that the method does not use.
        """
        used = (*self.needs, *self.uses, *(("groups",) if limited else ()))
        for given, argument in ((objects, "objects"), (groups, "groups")):
            if given and argument not in used:
                hint = " or give max_per_group=" if argument == "groups" else ""
                raise InputError(f"The method {self.name!r} does not use {argument}=: leave it out{hint}.")

    def leave_rows(self, rows: IntArray, n: int) -> None:
        """Adapt parameters that refer to rows, when only `rows` of the n rows remain; most methods have none.

        Raises InputError for a parameter that names a row which does not remain.
        """

    @abstractmethod
    def _rank(self, pool: Pool) -> Ranking:
        """Rank the images of one category; called only if it has seats to fill."""

    def _check_params(self) -> None:
        """Raise InputError for own parameters that cannot be used; a subclass may override it."""

    def _prepare(self, problem: FitInput) -> Any:
        """Return what all categories share, before any is ranked; each pool has it as `shared`."""
        return problem.shared

    def _stratify(self, problem: FitInput) -> FitInput:
        """Return the problem with the strata that get seats; by default the categories."""
        return problem

    def _seat_sequence(self, counts: IntArray, k: int, taken: IntArray) -> IntArray:
        """Return the stratum of each of the k seats to give; by default Webster's rule."""
        return seat_sequence(counts, k, taken)

    def _ranked(self, problem: FitInput) -> tuple[IntArray, FloatArray]:
        """Return `ranking_` and `scores_`; with a limit on groups, strata whose order is too short are ranked again."""
        n = len(problem.codes)
        scores = np.full(n, np.nan)
        orders = [np.empty(0, np.int64) for _ in problem.labels]
        length = n if self._ranks_all else problem.k
        problem.shared = self._prepare(problem)
        pending: Collection[int] = range(len(orders))
        while pending:
            # a single stratum shows its own progress
            images = int(np.isin(problem.codes, list(pending)).sum()) if len(pending) > 1 else None
            with progress(f"choosing by {self.name}", images, "images", behind=True) as advance:
                for pool in problem.pools(pending):
                    if pool.wanted > 0 or (self._ranks_all and len(pool)):
                        ranking = self._rank(pool)
                        _check_ranking(ranking, pool, self._ranks_all)
                        orders[pool.code] = pool.rows[ranking.order]
                        scores[pool.rows] = ranking.scores
                    advance(len(pool) if images else 0)
            pending = ()
            if problem.limited:
                rows, pending = self._within_groups(problem, orders, length)
            else:
                rows = self._interleave(problem, orders, length)
        scores[problem.initial] = np.inf
        return np.concatenate([problem.initial, rows]), scores

    def _within_groups(self, problem: FitInput, orders: list[IntArray], length: int) -> tuple[IntArray, list[int]]:
        """Return the rows that fill the seats, and the strata whose order was too short; these get twice the seats."""
        groups, (counts, taken) = problem.groups, self._counts(problem)
        assert groups is not None
        most = counts - taken
        if self._keeps_to_groups:
            most = groups.room(problem.codes, len(counts), problem.initial)
        complete = np.array([len(order) for order in orders]) >= most
        sequence = self._seat_sequence(counts, len(problem.codes) - len(problem.initial), taken)
        rows, short = fill_seats(sequence, orders, complete, groups, problem.initial, length - len(problem.initial))
        more = np.minimum(most, np.maximum(1, 2 * (problem.seats - taken)))
        problem.seats[short] = (taken + more)[short]
        return rows, short

    def _problem(
        self, X: Any, categories: Any, objects: Any, groups: Any, initial: Any, max_per_group: Any
    ) -> FitInput:
        self.check_given(objects=objects is not None, groups=groups is not None, limited=max_per_group is not None)
        features = check_features(X, needed=self.reads_matrix())
        n = len(features)
        k = resolve_keep(self.keep, n)
        chosen = check_rows(initial, n, "initial")
        if len(chosen) > k:
            raise InputError(f"initial has {len(chosen)} rows, more than the {k} that keep={self.keep!r} allows.")
        codes, labels = encode_categories(categories, n)
        problem = FitInput(features, codes, labels, k, chosen, np.zeros(0, np.int64), resolve_seed(self.random_state))
        if objects is not None or "objects" in self.needs:
            problem.objects = check_objects(objects, n, self.name, vectors="object_vectors" in self.needs)
        problem.groups = make_groups(groups, max_per_group, n)
        if problem.groups is not None:
            problem.groups.check(k, chosen)
        return self._seated(problem)

    def _seated(self, problem: FitInput) -> FitInput:
        """Return the problem with the number of seats of each stratum."""
        counts, taken = self._counts(problem)
        free = k = problem.k - len(problem.initial)
        if problem.groups is not None and problem.limited:
            free = len(problem.codes) - len(problem.initial)
        sequence = self._seat_sequence(counts, free, taken)
        if problem.groups is not None and problem.limited:
            room = problem.groups.room(problem.codes, len(counts), problem.initial)
            sequence = sequence[occurrence(sequence) < room[sequence]][:k]
        problem.seats = taken + np.bincount(sequence, minlength=len(counts))
        return problem

    @staticmethod
    def _counts(problem: FitInput) -> tuple[IntArray, IntArray]:
        size = len(problem.labels)
        taken = np.bincount(problem.codes[problem.initial], minlength=size).astype(np.int64)
        return np.bincount(problem.codes, minlength=size).astype(np.int64), taken

    def _interleave(self, problem: FitInput, orders: list[IntArray], length: int) -> IntArray:
        """Merge the orders of the strata in the order of the seats, without `initial`."""
        counts, taken = self._counts(problem)
        seats = self._seat_sequence(counts, length - len(problem.initial), taken)
        rows = np.empty(len(seats), np.int64)
        taken = np.bincount(seats, minlength=len(counts))
        rows[np.argsort(seats, kind="stable")] = np.concatenate(
            [order[:count] for order, count in zip(orders, taken, strict=True)]
        )
        return rows


class ScoringReducer(BaseReducer):
    """Base of methods that give every image of a category a score. One fit ranks all n images and serves every keep."""

    _ranks_all: ClassVar[bool] = True
    nested: ClassVar[bool] = True

    @abstractmethod
    def _score(self, pool: Pool) -> FloatArray:
        """Return (n_c,) scores, higher = chosen earlier; the base breaks ties by a draw."""

    def _rank(self, pool: Pool) -> Ranking:
        order, scores = descending(np.asarray(self._score(pool), np.float64), pool.precedence)
        return Ranking(order[~np.isin(order, pool.initial)], scores)


def _check_ranking(ranking: Ranking, pool: Pool, complete: bool) -> None:
    # a fault of the method, perhaps from another package, not of the caller
    order = np.asarray(ranking.order)
    wanted = len(pool) - len(pool.initial) if complete else pool.wanted
    if len(order) < wanted or len(np.unique(order)) != len(order) or np.isin(pool.initial, order).any():
        raise RuntimeError(f"Category {pool.label!r}: the method ranked {len(order)} rows, but {wanted} are needed.")
    if ranking.scores.shape != (len(pool),):
        raise RuntimeError(f"Category {pool.label!r}: scores have shape {ranking.scores.shape}, not ({len(pool)},).")
