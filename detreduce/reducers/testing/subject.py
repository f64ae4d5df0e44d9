"""The reducer under test, the data of the conformance suite, and its assertions."""

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
        Function that is called with (X, categories) and returns further arguments of `fit`. If it does not return
        objects, but the method needs objects, the method gets the objects of `made_up_objects`.
    matrix
        Function that is called with the X of a check and returns the X for `fit`, with the same number of rows. Methods
        that read a block of features need this function.
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
        """Fit the reducer with these parameters and the parameters of the subject. Return the fitted reducer."""
        reducer = self.cls(**{**self.params, **params})
        given = self.given(X, categories)
        if groups is not None:
            given["groups"] = groups
        return reducer.fit(self.matrix(X), categories, initial=initial, max_per_group=max_per_group, **given)

    def given(self, X: Any, categories: Any) -> dict[str, Any]:
        """Return the arguments of `fit` other than X and categories."""
        objects = {"objects": made_up_objects(X)} if "objects" in self.cls(**self.params).needs else {}
        return {**objects, **self.extras(X, categories)}


def sample(seed: int = 0, counts: tuple[int, ...] = (30, 17, 9, 4), d: int = 6) -> tuple[FloatArray, IntArray]:
    """Return features in clusters, and the category of each row. Rows are in random order.

    The features do not have ties and are exact in float16. `counts` has the number of rows of each category.
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
    """Assert that a fitted reducer has exactly `k` images without repeats, the right dtypes, and valid scores."""
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
    """Assert that `fit` with the given arguments raises InputError with a message that contains `text`."""
    try:
        subject.fit(*args, **params)
    except InputError as error:
        assert text in str(error), f"the error does not contain {text!r}: {error}"
    else:
        raise AssertionError(f"`fit` must raise an InputError with {text!r}, but raised no error")
