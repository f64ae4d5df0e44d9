"""The base class of all reducers (methods).

The base class checks the input, computes the quotas, merges the rankings and handles seeds, so that a method can be a
small class.

All reducers use three terms:

- A *stratum* is a set of images that gets its own share of the selection. Normally it is an image category.
- The *quota* of a stratum is the number of images to choose from it. A *seat* is one place in a quota.
- A *pool* contains the images of one stratum. A method ranks one pool at a time.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from detreduce.display.numbers import counted
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.machine.parallel import one_blas_thread
from detreduce.reducers.engine.budget import check_keep, occurrence, resolve_keep, seat_sequence
from detreduce.reducers.engine.groups import fill_seats, make_groups
from detreduce.reducers.engine.ordering import descending
from detreduce.reducers.engine.partitions import (
    LINEAR,
    Division,
    among,
    check_partitions,
    find_candidates,
    share_of_parts,
    spread_ranking,
)
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput, Ranking, check_ranking
from detreduce.reducers.engine.resampling import Resampling
from detreduce.reducers.engine.validation import (
    check_features,
    check_objects,
    check_rows,
    check_seed,
    encode_categories,
    resolve_seed,
)

MATRICES = ("features", "dynamics", "gradients", "uncertainty", "disagreement")
"""Entries of `needs` that say what X contains: the scaled features of a table, or a single block of it."""
Problem = FitInput  # the former name, which methods of other packages may still import


class BaseReducer(Resampling, BaseEstimator):
    """The base class of all methods. A subclass implements `_rank`, which ranks the images of one image category.

    A subclass also declares the class attributes below. A method that gives every image a score should extend
    `ScoringReducer` instead. Parameters are keyword-only. `__init__` stores them unchanged, and `_check_params` checks
    them.

    Parameters
    ----------
    keep
        How many images to keep: an int is a number of images, and a float is a fraction in (0, 1].
    random_state
        Random seed: an int, a NumPy generator, or None for a new seed at each call.

    Attributes
    ----------
    selected_idx_ : (k,) int64
        The chosen rows, in the order in which the method chose them. No row occurs twice.
    ranking_ : (m,) int64
        The ranked rows, best first, with k <= m <= n. If the method is `nested`, the first j rows are the selection for
        keep=j.
    scores_ : (n,) float64
        The score of each image. Within a stratum (`strata_`), images with a higher score are chosen earlier. Scores of
        different strata cannot be compared. Rows in `initial` have the score +inf. NaN means that the score was not
        computed.
    categories_ : list
        The labels of the image categories, sorted.
    seats_ : (C,) int64
        The number of chosen images in each image category.
    strata_ : (n,) int64
        The stratum of each image. Each stratum has its own quota. Normally a stratum is an image category. If the
        method does not use categories, a stratum may be, for instance, a cluster.
    sample_indices_ : (k,) int64
        The chosen rows in ascending order.
    n_features_in_, feature_names_in_
        The number of columns of X, and their names if X is a data frame whose names are texts.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("features",)
    cost: ClassVar[str]
    source: ClassVar[str]
    summary: ClassVar[str]
    keeps: ClassVar[str] = ""
    """What kind of images the method keeps, in one or two words."""
    fails: ClassVar[str] = ""
    """One or two sentences that say when the method fails or disappoints."""

    deterministic: ClassVar[bool]
    """Whether the seed is used only to break ties."""
    has_ties: ClassVar[bool] = True
    """Whether ties can occur. A method that is `deterministic` and has no ties does not use the seed at all."""
    nested: ClassVar[bool]
    """Whether smaller selections are prefixes of larger ones. If so, `ranking_[:j]` is the selection for keep=j."""
    order_dependent: ClassVar[bool] = False
    """Whether the result depends on the order of the rows."""
    uses_categories: ClassVar[bool] = True
    """Whether each image category has its own quota. If not, `strata_` says which strata have quotas."""
    uses: ClassVar[tuple[str, ...]] = ()
    """Optional inputs that the method can use: `objects` or `groups`. Required inputs are in `needs` instead."""
    no_partitions: ClassVar[str] = "it is not known how much the choice would lose"
    """Why the method does not accept `partitions`. Empty if it does."""

    _ranks_all: ClassVar[bool] = False
    """Whether `_rank` ranks all rows of the pool, and not only as far as the quota requires."""
    _keeps_to_groups: ClassVar[bool] = False
    """Whether `_rank` uses `Openings`, so that the order that it returns never exceeds `max_per_group`."""

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
        partitions: int | None = None,
    ) -> Self:
        """Choose rows of X, and store them in `selected_idx_`.

        With `max_per_group`, each place in the quota of a category goes to the best image of this category whose group
        is not full. If there is no such image, the place goes to the next category. Most greedy methods leave out the
        images of full groups while they choose. Other methods (scoring methods, ``prd``, ``gradmatch``) first rank all
        images, and then skip images of full groups. `scores_` includes the scores of the skipped images.

        Parameters
        ----------
        X
            (n, d) features of any float type. Methods that do not need features also accept an array of shape (n, 0).
        categories
            (n,) image category of each row, as a number or a string. If it is None, all images are in one category.
        objects
            An ObjectTable with the boxes of the n images. Methods that do not use objects raise InputError.
        groups
            (n,) group of each row, for instance the video of the image. If the method does not use groups, `groups` is
            only allowed together with `max_per_group`.
        initial
            Rows that are already chosen. These rows come first in the selection. They count towards `keep`, the quota
            of their category and the limit of their group.
        max_per_group
            Largest number of images to choose from one group. None means no limit.
        partitions
            Number of parts into which the dataset is divided, to save time. Categories are not mixed, so a category
            with many images has several parts. By default, the parts are random. The method first chooses in each part,
            and then among the images that it chose there. Other images get no score. ``facility`` instead compares each
            image only with near parts. A smaller selection need not be part of a larger one. None or 1 means no parts.

        Raises
        ------
        InputError
            An array or a parameter is not valid, arguments contradict each other, or `max_per_group` allows fewer
            images than `keep` asks for. Or the method does not accept `partitions`.
        """
        self.check_params()
        self.check_partitions(partitions)
        problem = self._problem(X, categories, objects, groups, initial, max_per_group)
        n, codes, self.categories_ = len(problem.codes), problem.codes, problem.labels
        check_partitions(partitions, n)
        problem.partitions = int(partitions or 1)
        # the selection must not depend on the number of processors
        with one_blas_thread():
            problem = self._stratify(problem)
            self.ranking_, self.scores_ = self._ranked(problem)
        self.selected_idx_ = self.ranking_[: problem.k].copy()
        self.n_rows_in_ = n
        self._remember_columns(X)
        self.strata_ = problem.codes
        self.seats_ = np.bincount(codes[self.selected_idx_], minlength=len(self.categories_)).astype(np.int64)
        return self

    def check_params(self) -> None:
        """Check all parameters as far as this is possible without data. `fit` makes the same check.

        Raises
        ------
        InputError
            `keep`, `random_state` or another parameter is not valid for any dataset.
        """
        check_keep(self.keep)
        check_seed(self.random_state)
        self._check_params()

    @classmethod
    def reads_matrix(cls) -> bool:
        """Return whether the method reads the values in X. If not, only the number of rows of X matters."""
        return any(matrix in cls.needs for matrix in MATRICES)

    def check_given(self, *, objects: bool = False, groups: bool = False, limited: bool = False) -> None:
        """Check whether the method can use the inputs that will be passed to `fit`.

        Parameters
        ----------
        objects
            Whether `objects` will be passed.
        groups
            Whether `groups` will be passed.
        limited
            Whether `max_per_group` will be passed.

        Raises
        ------
        InputError
            `objects` or `groups` will be passed, but the method does not use them.
        """
        used = (*self.needs, *self.uses, *(("groups",) if limited else ()))
        for given, argument in ((objects, "objects"), (groups, "groups")):
            if given and argument not in used:
                hint = " or also pass max_per_group=" if argument == "groups" else ""
                raise InputError(f"The method {self.name!r} does not use {argument}=. Leave {argument}= out{hint}.")

    def check_partitions(self, partitions: Any) -> None:
        """Raise InputError if `partitions` is not a number of parts, or if the method does not accept it."""
        check_partitions(partitions)
        if partitions is not None and self.no_partitions:
            raise InputError(
                f"The method {self.name!r} cannot choose in parts, because {self.no_partitions}. Leave partitions out."
            )

    def rank_part(self, part: FitInput) -> Ranking:
        """Rank one part of a pool. `part` has a single category (see `Division.problem`)."""
        # parts are ranked at the same time, and `_prepare` and `_rank` may set attributes
        reducer = copy.copy(self)
        part.shared = reducer._prepare(part)
        (pool,) = part.pools()
        with one_blas_thread():
            ranking = reducer._rank(pool)
        check_ranking(ranking, pool, self._ranks_all)
        return ranking

    def leave_rows(self, rows: IntArray, n: int) -> None:
        """Adapt row numbers in the parameters after some of the n rows were removed.

        `rows` contains the rows that remain. Most methods have no parameters with row numbers. Raise InputError if a
        parameter contains the number of a removed row.
        """

    @abstractmethod
    def _rank(self, pool: Pool) -> Ranking:
        """Rank the images of one pool. This is called only if images have to be chosen from the pool."""

    def _rank_among(self, pool: Pool, candidates: IntArray) -> Ranking:
        """Rank the candidates that were chosen in the parts of a pool. `candidates` are positions in the pool.

        By default, the other images are ignored. A method whose objective depends on all images overrides this method.
        """
        smaller, local = among(pool, candidates)
        return spread_ranking(self._rank(smaller), local, len(pool))

    def _rank_pool(self, problem: FitInput, pool: Pool) -> Ranking:
        """Rank a pool, in parts if `problem` says so."""
        count = share_of_parts(pool, problem.partitions)
        return self._rank(pool) if count < 2 else self._rank_in_parts(problem, pool, count)

    def _rank_in_parts(self, problem: FitInput, pool: Pool, count: int) -> Ranking:
        """Choose candidates in `count` random parts of a pool, and then rank the candidates."""
        division = Division.of(pool, count)
        # an unfitted copy is small, which matters if parts are sent to other processes
        candidates = find_candidates(clone(self).rank_part, problem, division)
        return self._rank_among(pool, candidates)

    def _check_params(self) -> None:
        """Raise InputError if a parameter of the subclass is not valid. Subclasses may override this method."""

    def _prepare(self, problem: FitInput) -> Any:
        """Return data that all pools get as `shared`. This is called once, before the first pool is ranked."""
        return problem.shared

    def _stratify(self, problem: FitInput) -> FitInput:
        """Return the input with the strata that get quotas. By default, these are the image categories."""
        return problem

    def _seat_sequence(self, counts: IntArray, k: int, taken: IntArray) -> IntArray:
        """Return the strata from which the next `k` images are chosen, in order, (k,).

        By default, Webster's rule is used (see `seat_sequence`).
        """
        return seat_sequence(counts, k, taken)

    def _ranked(self, problem: FitInput) -> tuple[IntArray, FloatArray]:
        """Rank all pools, and return `ranking_` and `scores_`.

        With `max_per_group`, a stratum may run out of ranked rows because the groups of its rows are full. In that
        case, the stratum is ranked again with a larger quota.
        """
        n = len(problem.codes)
        scores = np.full(n, np.nan)
        orders = [np.empty(0, np.int64) for _ in problem.labels]
        length = n if self._ranks_all else problem.k
        problem.shared = self._prepare(problem)
        pending: Collection[int] = range(len(orders))
        while pending:
            # if there is only one stratum, the method shows its own progress
            images = int(np.isin(problem.codes, list(pending)).sum()) if len(pending) > 1 else None
            with progress(f"choosing by {self.name}", images, "images", behind=True) as advance:
                for pool in problem.pools(pending):
                    if pool.wanted > 0 or (self._ranks_all and len(pool)):
                        ranking = self._rank_pool(problem, pool)
                        check_ranking(ranking, pool, self._ranks_all)
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
        """Return the rows that fill the quotas, and the strata whose rankings are too short.

        Such strata must be ranked again. Therefore their quotas in `problem.seats` are about doubled.
        """
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
        """Check the arguments of `fit` and return them as one object. Raise InputError if one of them is not valid."""
        self.check_given(objects=objects is not None, groups=groups is not None, limited=max_per_group is not None)
        features = check_features(X, needed=self.reads_matrix())
        n = len(features)
        k = resolve_keep(self.keep, n)
        chosen = check_rows(initial, n, "initial")
        if len(chosen) > k:
            raise InputError(
                f"initial has {counted(len(chosen), 'row')}, but keep={self.keep!r} allows {k}. Raise keep or "
                "shorten initial."
            )
        codes, labels = encode_categories(categories, n)
        problem = FitInput(features, codes, labels, k, chosen, np.zeros(0, np.int64), resolve_seed(self.random_state))
        if objects is not None or "objects" in self.needs:
            problem.objects = check_objects(objects, n, self.name, vectors="object_vectors" in self.needs)
        problem.groups = make_groups(groups, max_per_group, n)
        if problem.groups is not None:
            problem.groups.check(k, chosen)
        return self._seated(problem)

    def _seated(self, problem: FitInput) -> FitInput:
        """Compute the quota of each stratum, store it in `problem.seats`, and return the problem."""
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
        """Return two (C,) arrays: how many images each stratum has, and how many of these are already chosen."""
        size = len(problem.labels)
        taken = np.bincount(problem.codes[problem.initial], minlength=size).astype(np.int64)
        return np.bincount(problem.codes, minlength=size).astype(np.int64), taken

    def _interleave(self, problem: FitInput, orders: list[IntArray], length: int) -> IntArray:
        """Merge the rankings of the strata into one order.

        The rows in `initial` count towards `length`, but they are not part of the order.
        """
        counts, taken = self._counts(problem)
        seats = self._seat_sequence(counts, length - len(problem.initial), taken)
        rows = np.empty(len(seats), np.int64)
        taken = np.bincount(seats, minlength=len(counts))
        rows[np.argsort(seats, kind="stable")] = np.concatenate(
            [order[:count] for order, count in zip(orders, taken, strict=True)]
        )
        return rows


class ScoringReducer(BaseReducer):
    """The base class of methods that score every image.

    One fit ranks all n images. The ranking is valid for every `keep`, because smaller selections are prefixes of larger
    ones.
    """

    _ranks_all: ClassVar[bool] = True
    nested: ClassVar[bool] = True
    no_partitions = LINEAR

    @abstractmethod
    def _score(self, pool: Pool) -> FloatArray:
        """Return the (n_c,) scores of the images in one pool. Images with a higher score are chosen earlier.

        If scores are equal, the seed decides.
        """

    def _rank(self, pool: Pool) -> Ranking:
        """Rank all images of the pool by their scores."""
        order, scores = descending(np.asarray(self._score(pool), np.float64), pool.precedence)
        return Ranking(order[~np.isin(order, pool.initial)], scores)
