"""The checks that every reducer must pass. Packages that add reducers run them in their own tests.

For example, the tests of another package can contain::

    from detreduce.reducers.testing.conformance import CHECKS, check_reducer

    def test_conformance():
        check_reducer(MyReducer)
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.budget import resolve_keep, seat_sequence
from detreduce.reducers.testing.group_checks import GROUP_CHECKS
from detreduce.reducers.testing.subject import (
    Subject,
    assert_same_up_to_ties,
    assert_valid,
    made_up_objects,
    refused,
    sample,
)


def check_reducer(
    cls: type[BaseReducer],
    params: dict[str, Any] | None = None,
    extras: Callable[[Any, Any], dict[str, Any]] | None = None,
    matrix: Callable[[Any], Any] | None = None,
) -> None:
    """Run every check on a reducer class. If a check fails, raise AssertionError with its name and the cause.

    Parameters
    ----------
    cls
        The class to check.
    params
        Parameters other than `keep` and `random_state`.
    extras
        A function that takes (X, categories) and returns further arguments for `fit`.
    matrix
        A function that takes the X of a check and returns the X for `fit`. It is needed for methods that read a block
        of features.
    """
    subject = Subject(cls, params or {}, extras or (lambda X, categories: {}), matrix or (lambda X: X))
    for check in CHECKS:
        try:
            check(subject)
        except Exception as error:
            raise AssertionError(f"{cls.__name__}: {check.__name__}: {error!r}") from error


def check_exact_budget(subject: Subject) -> None:
    """Exactly the requested number of images is chosen, whether `keep` is a fraction or a number of images."""
    X, y = sample()
    n = len(X)
    keeps: tuple[Any, ...] = (1, 2, 7, n, np.int32(5), 0.001, 0.1, 0.25, np.float32(0.5), 0.99, 1.0)
    for keep in keeps:
        for categories in (y, None):
            assert_valid(subject.fit(X, categories, keep=keep), n, resolve_keep(keep, n))


def check_refuses_bad_keep(subject: Subject) -> None:
    """An invalid `keep` or `random_state` raises InputError."""
    X, y = sample()
    for keep in (0, -1, len(X) + 1, 0.0, -0.5, 1.5, True, np.True_, float("nan"), "0.5", None):
        refused("keep", subject, X, y, keep=keep)
    refused("random_state", subject, X, y, random_state="a")


def check_same_seed_same_answer(subject: Subject) -> None:
    """The same input and seed give the same result. The global random generator is neither used nor changed."""
    X, y = sample()
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    one = subject.fit(X, y, keep=15, random_state=3)
    np.testing.assert_equal(np.random.get_state(legacy=False), state)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    other = subject.fit(X, y, keep=15, random_state=3)
    np.testing.assert_array_equal(one.selected_idx_, other.selected_idx_)
    np.testing.assert_allclose(one.scores_, other.scores_, rtol=1e-6)


def check_seed_matters_only_if_stochastic(subject: Subject) -> None:
    """Another seed changes the result of a stochastic method. For other methods, the seed only breaks ties."""
    X, y = sample()
    fitted = [subject.fit(X, y, keep=0.3, random_state=seed) for seed in range(6)]
    if subject.cls.deterministic:
        for reducer in fitted[1:]:
            assert_same_up_to_ties(fitted[0], reducer)
    else:
        answers = {tuple(reducer.selected_idx_) for reducer in fitted}
        assert len(answers) > 1, "deterministic is False, but six seeds give the same result"


def check_rows_permuted(subject: Subject) -> None:
    """The chosen images do not depend on the order of the rows, unless the method declares `order_dependent`."""
    X, y = sample()
    order = np.random.default_rng(5).permutation(len(X))
    plain, permuted = (subject.fit(X, y, keep=0.3), subject.fit(X[order], y[order], keep=0.3))
    if subject.cls.uses_categories:
        np.testing.assert_array_equal(y[plain.selected_idx_], y[order][permuted.selected_idx_])
    same = plain.selected_idx_.tolist() == order[permuted.selected_idx_].tolist()
    if subject.cls.order_dependent:
        assert not same, "order_dependent is True, but permuted rows give the same images"
    elif subject.cls.deterministic:
        assert same, "permuted rows give other images"


def check_rows_duplicated(subject: Subject) -> None:
    """Every row is chosen at most once, even if rows are equal."""
    X, y = sample(counts=(9, 5, 2))
    X, y = np.repeat(X, 3, axis=0), np.repeat(y, 3)
    for keep in (1, 10, 30, 1.0):
        assert_valid(subject.fit(X, y, keep=keep), len(X), resolve_keep(keep, len(X)))


def check_all_rows_equal(subject: Subject) -> None:
    """If all images are equal, the seed decides which images are chosen. The order of the rows does not matter."""
    n = 24
    for value in (0.0, 0.1, 1e6):
        X = np.full((n, 4), value)
        fitted = [subject.fit(X, keep=8, random_state=seed) for seed in range(5)]
        for reducer in fitted:
            assert_valid(reducer, n, 8)
        if not subject.cls.order_dependent:
            assert len({tuple(sorted(r.selected_idx_)) for r in fitted}) > 1, "ties are broken without the seed"


def check_tiny(subject: Subject) -> None:
    """Tiny inputs work: a single image, a category with a single image, and one category for each image."""
    X, y = sample()
    for keep in (1, 1.0, 0.01):
        for categories in (None, [7], ["a"]):
            assert subject.fit(X[:1], categories, keep=keep).selected_idx_.tolist() == [0]
    y = np.where(np.arange(len(y)) == 11, 99, y)
    for keep in (1, 5, 0.5, 1.0):
        reducer = subject.fit(X, y, keep=keep)
        assert_valid(reducer, len(X), resolve_keep(keep, len(X)))
    assert_valid(subject.fit(X[:8], np.arange(8), keep=5), 8, 5)
    assert_valid(subject.fit(X[:2], keep=2), 2, 2)


def check_categories_none(subject: Subject) -> None:
    """With categories=None, all images are in one category."""
    X, _ = sample()
    none, one = subject.fit(X, None, keep=12), subject.fit(X, np.zeros(len(X), int), keep=12)
    np.testing.assert_array_equal(none.selected_idx_, one.selected_idx_)


def check_category_labels(subject: Subject) -> None:
    """Labels can be strings and other objects. Only their sorted order matters."""
    X, y = sample()
    names = np.array(["alpha", "beta", "gamma", "ünïcode"])
    plain = subject.fit(X, y, keep=0.3)
    for labels in (
        names[y],
        names[y].astype(object),
        names[y].tolist(),
        [f"{i}" for i in y],
        y.astype(np.uint8),
        3.5 * y,
    ):
        reducer = subject.fit(X, labels, keep=0.3)
        if subject.cls.uses_categories:
            np.testing.assert_array_equal(y[reducer.selected_idx_], y[plain.selected_idx_])
        if subject.cls.deterministic:
            assert_same_up_to_ties(reducer, plain)
    mixed: list[Any] = [("a", 1, 2.5, "b")[code] for code in y]
    assert_valid(subject.fit(X, mixed, keep=0.3), len(X), len(plain.selected_idx_))


def check_refuses_bad_categories(subject: Subject) -> None:
    """Categories with a wrong length or with missing labels raise InputError."""
    X, y = sample()
    refused("categories", subject, X, y[:-1])
    missing = [None if row == 4 else "a" for row in range(len(y))]
    refused("row 4", subject, X, missing)
    refused("row 6", subject, X, np.where(np.arange(len(y)) == 6, np.nan, y))


def check_dtypes_and_layouts(subject: Subject) -> None:
    """All float types, memory layouts, read-only arrays and lists give the same result, and `fit` does not change
    them.
    """
    X, y = sample()
    plain = subject.fit(X, y, keep=0.3)
    frozen = X.copy()
    frozen.flags.writeable = False
    strided = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    for form in (X.astype(np.float16), X.astype(np.float32), np.asfortranarray(X), strided, frozen, X.tolist()):
        before = np.array(form)
        reducer = subject.fit(form, y, keep=0.3)
        np.testing.assert_array_equal(before, np.asarray(form), "fit changed X")
        assert_valid(reducer, len(X), len(plain.selected_idx_))
        if getattr(form, "dtype", X.dtype) == X.dtype or subject.cls.deterministic:
            np.testing.assert_array_equal(reducer.selected_idx_, plain.selected_idx_)


def check_scaled_and_shifted(subject: Subject) -> None:
    """Features that are large, small, shifted or have many columns do not cause an overflow."""
    X, y = sample()
    wide = np.hstack([X, np.zeros((len(X), 3)), np.full((len(X), 1), 5.0)])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for form in (X * 1e3, X * 1e-3, X + 1e3, X * 1e3 - 1e4, X * 1e150, wide, X[:, :1]):
            assert_valid(subject.fit(form, y, keep=0.3), len(X), resolve_keep(0.3, len(X)))


def check_refuses_bad_features(subject: Subject) -> None:
    """If X is not two-dimensional, or contains NaN or infinity, InputError is raised.

    For NaN and infinity, the message names the row.
    """
    X, y = sample()
    for shape in (X[0], X[:0], X[None]):
        refused("X ", subject, shape)
    for value in (np.nan, np.inf, -np.inf):
        bad = X.copy()
        bad[7, 2] = value
        if subject.cls.reads_matrix():
            refused("row 7", subject, bad, y)
        else:
            assert_valid(subject.fit(bad, y, keep=5), len(X), 5)
    if subject.cls.reads_matrix():
        refused("columns", subject, X[:, :0], y)
    else:
        assert_valid(subject.fit(X[:, :0], y, keep=5), len(X), 5)


def check_prefixes(subject: Subject) -> None:
    """The method declares `nested` if and only if every prefix of its ranking is the selection for a smaller keep."""
    X, y = sample(counts=(12, 7, 3))
    n, agree = len(X), True
    for categories in (y, None):
        full = subject.fit(X, categories, keep=1.0).ranking_
        for k in range(1, n):
            smaller = subject.fit(X, categories, keep=k)
            prefix = np.array_equal(smaller.selected_idx_, full[:k])
            agree &= prefix
            assert prefix or not subject.cls.nested, (
                f"nested is True, but the selection for {k} is no prefix of the selection for {n}"
            )
            if subject.cls.nested:
                np.testing.assert_array_equal(smaller.ranking_, full[: len(smaller.ranking_)])
    assert subject.cls.nested or not agree, "nested is False, but every prefix is the smaller selection"


def check_category_seats(subject: Subject) -> None:
    """If keep is large enough, every category gets one image. The other images are divided in proportion."""
    if not subject.cls.uses_categories:
        return
    X, y = sample()
    for k in (1, 3, 4, 5, 11, 30, len(y) - 1):
        reducer = subject.fit(X, y, keep=k)
        np.testing.assert_array_equal(y[reducer.selected_idx_], seat_sequence(np.bincount(y), k))
        np.testing.assert_array_equal(reducer.seats_, np.bincount(y[reducer.selected_idx_], minlength=4))


def check_scores_follow_order(subject: Subject) -> None:
    """Within a category, images with a higher score are chosen earlier, and images that are not chosen score lowest."""
    X, y = sample()
    for k in (4, 20):
        reducer = subject.fit(X, y, keep=k)
        strata = y if subject.cls.uses_categories else reducer.strata_
        for code in np.unique(strata):
            ranked = reducer.ranking_[strata[reducer.ranking_] == code]
            scores = reducer.scores_[ranked]
            assert (scores[1:] <= scores[:-1]).all(), f"scores rise along the ranking of category {code}"
            rest = np.setdiff1d(np.flatnonzero(strata == code), ranked)
            rest = rest[~np.isnan(reducer.scores_[rest])]
            if len(rest) and len(scores):
                assert reducer.scores_[rest].max() <= scores[-1], "an image that was not ranked has a higher score"


def check_initial(subject: Subject) -> None:
    """The rows in `initial` are chosen first, in order. They count towards keep and the quota of their category."""
    X, y = sample()
    none, empty = subject.fit(X, y, keep=10), subject.fit(X, y, keep=10, initial=[])
    np.testing.assert_array_equal(none.selected_idx_, empty.selected_idx_)
    initial = [40, 3, 17]
    for keep in (3, 4, 20, 1.0):
        for categories in (y, None):
            reducer = subject.fit(X, categories, keep=keep, initial=initial)
            assert_valid(reducer, len(X), resolve_keep(keep, len(X)))
            assert reducer.selected_idx_[:3].tolist() == initial, "initial rows do not come first"
    most = np.flatnonzero(y == 3)
    seats = np.bincount(y[subject.fit(X, y, keep=8, initial=most).selected_idx_], minlength=4)
    if subject.cls.uses_categories:
        assert seats[3] == len(most) and seats.min() >= 1
    for bad in ([0, 0], [len(X)], [-1], [0.5], [True], list(range(11))):
        refused("initial", subject, X, y, keep=10, initial=bad)


def check_refuses_bad_objects(subject: Subject) -> None:
    """Methods that need objects raise InputError if objects are missing, have a wrong type, or do not match X.

    Methods that do not use objects raise InputError if objects are passed.
    """
    X, y = sample()
    reducer = subject.cls(**subject.params)
    if "objects" not in reducer.needs:
        refused("objects", replace(subject, extras=lambda X, y: {"objects": made_up_objects(X)}), X, y)
        return
    bad: list[Any] = [None, [1] * len(X), made_up_objects(X[:-1])]
    if "object_vectors" in reducer.needs:
        table = made_up_objects(X)
        assert table.vectors is not None
        holed = table.vectors.copy()
        holed[3] = np.nan
        bad += [replace(table, vectors=None), replace(table, vectors=holed)]
    for objects in bad:
        refused("objects", replace(subject, extras=_always(objects)), X, y)
    empty = ObjectTable.from_boxes([], [], len(X), 4, vectors=np.empty((0, 5)), box_sizes=[], n_sizes=2)
    for keep in (1, 20, 1.0):
        reducer = replace(subject, extras=_always(empty)).fit(X, y, keep=keep)
        assert_valid(reducer, len(X), resolve_keep(keep, len(X)))


def _always(objects: Any) -> Callable[[Any, Any], dict[str, Any]]:
    """Return a function for `Subject.extras` that always returns `objects`."""
    return lambda X, categories: {"objects": objects}


def check_estimator(subject: Subject) -> None:
    """The class is a scikit-learn estimator: `clone`, `get_params`, `set_params` and pickling work.

    `__init__` only stores its parameters.
    """
    marker: Any = object()
    names = list(subject.cls().get_params())
    assert {"keep", "random_state"} <= set(names)
    for name in names:
        assert getattr(subject.cls(**dict.fromkeys([name], marker)), name) is marker, f"__init__ changes {name}"
    X, y = sample()
    reducer = subject.cls(**{**subject.params, "keep": 9, "random_state": 4})
    before = reducer.get_params()
    copy = clone(reducer)
    assert copy.get_params() == before
    extras = subject.given(X, y)
    assert reducer.fit(subject.matrix(X), y, **extras) is reducer
    assert reducer.get_params() == before, "fit changes a parameter"
    np.testing.assert_array_equal(copy.fit(subject.matrix(X), y, **extras).selected_idx_, reducer.selected_idx_)
    again = pickle.loads(pickle.dumps(reducer))
    np.testing.assert_array_equal(again.selected_idx_, reducer.selected_idx_)
    assert again.get_params() == before
    fewer = reducer.set_params(keep=5).fit(subject.matrix(X[:20]), y[:20], **subject.given(X[:20], y[:20]))
    assert_valid(fewer, 20, 5)


def check_described(subject: Subject) -> None:
    """The class declares everything that `detreduce methods` prints."""
    for attribute in ("name", "family", "cost", "source", "summary"):
        text = getattr(subject.cls, attribute)
        assert isinstance(text, str) and text, f"{attribute} is not declared"
    for attribute in ("keeps", "fails"):
        assert isinstance(getattr(subject.cls, attribute), str), f"{attribute} is not a string"
    assert all(isinstance(need, str) for need in subject.cls.needs)
    for attribute in ("deterministic", "nested", "order_dependent", "uses_categories"):
        assert isinstance(getattr(subject.cls, attribute), bool), f"{attribute} is not declared"


CHECKS: tuple[Callable[[Subject], None], ...] = (
    *(value for key, value in list(globals().items()) if key.startswith("check_") and key != "check_reducer"),
    *GROUP_CHECKS,
)
"""All checks. Each is a function of a `Subject`. Parametrise a test with this tuple to see each check by its name."""
