"""The sparse table of boxes, compared with the dense table."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import coo_array, csr_array

from detreduce.arrays.class_counts import (
    as_sparse,
    boxes_of_classes,
    boxes_of_images,
    count_boxes,
    entries_of_image,
    images_of_classes,
    leading_classes,
    rows_of_entries,
)

TABLES = hnp.arrays(
    np.int64, st.tuples(st.integers(0, 8), st.integers(0, 6)), elements=st.sampled_from([0, 0, 1, 2, 9])
)


@given(TABLES, st.randoms(use_true_random=False))
def test_counted_boxes_are_the_dense_table(dense: np.ndarray, random) -> None:
    boxes = [(row, kind) for row, kind in np.argwhere(dense).tolist() for _ in range(dense[row, kind])]
    random.shuffle(boxes)
    rows, kinds = np.array(boxes, np.int64).reshape(-1, 2).T
    table = count_boxes(rows, kinds, dense.shape)
    assert table.dtype == np.int32
    np.testing.assert_array_equal(table.toarray(), dense)
    assert table.nnz == np.count_nonzero(dense)


@given(TABLES)
def test_sums_are_those_of_the_dense_table(dense: np.ndarray) -> None:
    table = as_sparse(dense)
    np.testing.assert_array_equal(boxes_of_classes(table), dense.sum(axis=0))
    np.testing.assert_array_equal(boxes_of_images(table), dense.sum(axis=1))
    np.testing.assert_array_equal(images_of_classes(table), (dense > 0).sum(axis=0))
    np.testing.assert_array_equal(np.column_stack([rows_of_entries(table), table.indices]), np.argwhere(dense))
    for row, counts in enumerate(dense):
        classes, boxes = entries_of_image(table, row)
        present = [kind for kind in np.argsort(-counts, kind="stable").tolist() if counts[kind]]
        assert (classes.tolist(), boxes.tolist()) == (present, counts[present].tolist())


@given(TABLES, st.randoms(use_true_random=False))
def test_leading_classes_are_the_first_largest_of_the_dense_table(dense: np.ndarray, random) -> None:
    order = list(range(dense.shape[1]))
    random.shuffle(order)
    rank = np.argsort(order)
    for by_boxes, value in ((True, dense), (False, dense > 0)):
        expected = [order[int(row[order].argmax())] if row.any() else -1 for row in value]
        assert leading_classes(as_sparse(dense), rank, by_boxes=by_boxes).tolist() == expected
    assert leading_classes(as_sparse(dense)).tolist() == [int(row.argmax()) if row.any() else -1 for row in dense]


def test_entries_of_zero_and_repeated_entries_are_joined_without_a_change_of_the_given_table() -> None:
    given_table = csr_array((np.array([0, 3, 2]), np.array([1, 0, 0]), np.array([0, 2, 3])), shape=(2, 2))
    table = as_sparse(given_table)
    assert (table.indices.tolist(), table.data.tolist(), table.indptr.tolist()) == ([0, 0], [3, 2], [0, 1, 2])
    assert given_table.data.tolist() == [0, 3, 2]
    repeated = as_sparse(coo_array(([1, 1], ([0, 0], [1, 1])), shape=(1, 2)))
    assert (repeated.indices.tolist(), repeated.data.tolist()) == ([1], [2])
