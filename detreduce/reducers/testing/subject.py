"""The reducer under test, and the data and assertions that the conformance suite uses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.reducers.base import BaseReducer
from detreduce.reducers.engine.pool import FloatArray, IntArray


@dataclass(frozen=True)
class Subject:
    """A reducer under test.

    Attributes
    ----------
    cls
        The class of the reducer.
    params
        Parameters other than `keep` and `random_state`, for instance to make a slow method fast.
    extras
        A function that takes (X, categories) and returns further arguments for `fit`. If the method needs objects and
        this function does not return any, `made_up_objects` is used.
    matrix
        A function that takes the X of a check and returns the X for `fit`, with the same number of rows. It is needed
        for methods that read a block of features.
    """

    cls: type[BaseReducer]
    params: dict[str, Any] = field(default_factory=dict)
    extras: Callable[[Any, Any], dict[str, Any]] = lambda X, categories: {}
    matrix: Callable[[Any], Any] = lambda X: X

    def fit(
        self,
        X: Any,
        categories: Any = None,
        *,
        initial: Any = None,
        groups: Any = None,
        max_per_group: Any = None,
        **params: Any,
    ) -> BaseReducer:
        """Fit the reducer with its own parameters and with `params`, and return it."""
        reducer = self.cls(**{**self.params, **params})
        given = self.given(X, categories)
        if groups is not None:
            given["groups"] = groups
        return reducer.fit(self.matrix(X), categories, initial=initial, max_per_group=max_per_group, **given)

    def given(self, X: Any, categories: Any) -> dict[str, Any]:
        """Return the arguments for `fit` other than X and categories."""
        objects = {"objects": made_up_objects(X)} if "objects" in self.cls(**self.params).needs else {}
        return {**objects, **self.extras(X, categories)}


def sample(seed: int = 0, counts: tuple[int, ...] = (30, 17, 9, 4), d: int = 6) -> tuple[FloatArray, IntArray]:
    """Return features that form clusters, and the category of each row. The rows are in random order.

    The features have no ties and are exact in float16. `counts` is the number of rows in each category.
    """
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    X = 2.0 * rng.normal(size=(len(counts), d))[y] + rng.normal(size=(len(y), d))
    order = rng.permutation(len(y))
    return X[order].astype(np.float16).astype(np.float64), y[order]


def made_up_objects(X: Any, n_classes: int = 4, d: int = 5) -> ObjectTable:
    """Return objects that depend only on the content of each row, so that equal rows have equal objects.

    Every image has at least one class. Each class in an image has a vector, and 1 to 49 boxes in each of two sizes.
    """
    rows = np.asarray(X, np.float64) + 0.0
    images, classes, sizes, vectors = [], [], [], []
    for image, row in enumerate(rows):
        digest = hashlib.blake2b(row.tobytes(), digest_size=8).digest()
        rng = np.random.default_rng(int.from_bytes(digest, "little"))
        present = np.flatnonzero(rng.random(n_classes) < 0.4)
        for number in present if len(present) else rng.integers(n_classes, size=1):
            images.append(image)
            classes.append(number)
            sizes.append(1 + rng.integers(49, size=2))
            vectors.append(number + rng.normal(size=d))
    by_size = np.array(sizes, np.int64).reshape(-1, 2)
    pairs = np.array(images, np.int64), np.array(classes, np.int64), by_size.sum(axis=1)
    return ObjectTable(len(rows), n_classes, *pairs, np.array(vectors, np.float32).reshape(-1, d), by_size)


def assert_valid(reducer: BaseReducer, n: int, k: int) -> None:
    """Assert that a fitted reducer has chosen `k` different images, with the right dtypes and valid scores."""
    chosen = reducer.selected_idx_
    assert chosen.dtype == np.int64 and chosen.shape == (k,), f"{len(chosen)} rows chosen, not {k}"
    assert len(np.unique(chosen)) == k and chosen.min() >= 0 and chosen.max() < n, "rows repeated or outside"
    ranking = reducer.ranking_
    assert ranking.dtype == np.int64 and k <= len(ranking) <= n and len(np.unique(ranking)) == len(ranking)
    np.testing.assert_array_equal(ranking[:k], chosen)
    assert reducer.scores_.dtype == np.float64 and reducer.scores_.shape == (n,)
    assert not np.isnan(reducer.scores_[chosen]).any(), "a chosen image has no score"
    support = reducer.get_support()
    assert support.dtype == bool and support.shape == (n,) and set(np.flatnonzero(support)) == set(chosen.tolist())


def assert_same_up_to_ties(one: BaseReducer, other: BaseReducer) -> None:
    """Assert that two fitted reducers have equal scores, and that their choices differ only among tied images."""
    np.testing.assert_allclose(one.scores_, other.scores_, rtol=1e-6, atol=1e-12)
    a, b = one.selected_idx_, other.selected_idx_
    np.testing.assert_allclose(one.scores_[a], one.scores_[b], rtol=1e-6, atol=1e-12)
    if len(np.unique(one.scores_)) == len(one.scores_):
        np.testing.assert_array_equal(a, b)


def refused(text: str, subject: Subject, *args: Any, **params: Any) -> None:
    """Assert that `fit` with these arguments raises InputError with a message that contains `text`."""
    try:
        subject.fit(*args, **params)
    except InputError as error:
        assert text in str(error), f"the error does not contain {text!r}: {error}"
    else:
        raise AssertionError(f"`fit` must raise an InputError with {text!r}, but raised no error")
