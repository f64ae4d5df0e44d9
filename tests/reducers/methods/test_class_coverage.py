from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.methods.class_coverage import split_by_size


def table_of(counts: list[list[int]] | np.ndarray) -> ObjectTable:
    """Return the table of (n, C) counts."""
    dense = np.asarray(counts)
    images, classes = np.nonzero(dense)
    return ObjectTable(*dense.shape, images.astype(np.int64), classes.astype(np.int64), dense[images, classes])


def fit(table: ObjectTable, **params: object):  # type: ignore[no-untyped-def]
    initial = params.pop("initial", None)
    return make_reducer("class_coverage", **params).fit(np.empty((len(table), 0)), objects=table, initial=initial)


# boxes of A (4 in all) and of B (1)
BY_HAND = [[3, 0], [1, 0], [0, 1], [0, 0]]


def test_by_hand() -> None:
    reducer = fit(table_of(BY_HAND), keep=4)
    # B's only box adds 1, three quarters of A add sqrt(3/4), the last box of A adds the rest of 1
    assert reducer.selected_idx_.tolist() == [2, 0, 1, 3]
    np.testing.assert_allclose(reducer.scores_, [np.sqrt(0.75), 1 - np.sqrt(0.75), 1, 0], rtol=1e-9)


def test_images_left_out_score_what_they_would_add() -> None:
    reducer = fit(table_of(BY_HAND), keep=2)
    np.testing.assert_allclose(reducer.scores_, [np.sqrt(0.75), 1 - np.sqrt(0.75), 1, 0], rtol=1e-9)
    assert reducer.ranking_.tolist() == [2, 0]


def test_initial_boxes_are_kept_boxes() -> None:
    # three of four boxes of A are kept, so the box of B comes next, and then the last box of A
    assert fit(table_of(BY_HAND), keep=3, initial=[0]).selected_idx_.tolist() == [0, 2, 1]


def test_categories_are_ignored() -> None:
    table = table_of(BY_HAND)
    reducer = make_reducer("class_coverage", keep=2).fit(np.empty((4, 0)), [0, 1, 0, 1], objects=table)
    assert reducer.selected_idx_.tolist() == [2, 0]
    assert reducer.strata_.tolist() == [0] * 4 and reducer.seats_.tolist() == [2, 0]


def test_by_size_each_size_of_a_class_is_a_class() -> None:
    # images 0 and 1 have two large boxes of one class, image 2 has the only small box of the class
    boxes: dict[str, Any] = {"box_images": [0, 0, 1, 1, 2], "box_classes": [0] * 5, "n_images": 3, "n_classes": 1}
    table = ObjectTable.from_boxes(**boxes, box_sizes=[1, 1, 1, 1, 0], n_sizes=2)
    assert fit(table, keep=1).selected_idx_[0] in (0, 1)
    assert fit(table, keep=1, by_size=True).selected_idx_.tolist() == [2]
    split = split_by_size(table)
    assert (split.classes.tolist(), split.counts.tolist(), split.n_classes) == ([1, 1, 0], [2, 2, 1], 2)
    with pytest.raises(InputError, match="size_counts"):
        fit(ObjectTable.from_boxes(**boxes), by_size=True)
    with pytest.raises(InputError, match="by_size='yes'"):
        fit(table, by_size="yes")


def objective(counts: np.ndarray, rows: list[int]) -> float:
    totals = counts.sum(axis=0)
    return float(np.sqrt(counts[rows].sum(axis=0)[totals > 0] / totals[totals > 0]).sum())


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 5))
def test_every_pick_is_the_best_there_is(seed: int, n: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, size=(n, classes)) * (rng.random((n, classes)) < 0.5)
    order = fit(table_of(counts), keep=1.0, random_state=seed).selected_idx_.tolist()
    for k in range(n):
        values = {row: objective(counts, [*order[:k], row]) for row in set(range(n)) - set(order[:k])}
        assert values[order[k]] == pytest.approx(max(values.values()), abs=1e-9)


def test_images_of_the_same_boxes_are_drawn_among() -> None:
    table = table_of([[1, 0]] * 20 + [[0, 1]])
    chosen = {tuple(fit(table, keep=2, random_state=seed).selected_idx_) for seed in range(12)}
    assert {first for first, _ in chosen} == {20} and len({second for _, second in chosen}) > 5


def test_ties_between_different_boxes_ignore_the_order_of_the_rows() -> None:
    counts = np.concatenate([np.eye(12, dtype=np.int64), 2 * np.eye(12, dtype=np.int64)])
    order = np.random.default_rng(0).permutation(24)
    plain, permuted = fit(table_of(counts), keep=9), fit(table_of(counts[order]), keep=9)
    assert plain.selected_idx_.tolist() == order[permuted.selected_idx_].tolist()
