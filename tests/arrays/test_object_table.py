from __future__ import annotations

import numpy as np
import pytest

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError


def test_boxes_are_summed_up_by_image_and_class() -> None:
    vectors = np.array([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0], [7.0, 7.0]])
    table = ObjectTable.from_boxes([2, 2, 0, 2], [1, 1, 0, 0], 4, 3, vectors=vectors, box_sizes=[0, 1, 1, 1], n_sizes=2)
    assert len(table) == 4
    assert table.images.tolist() == [0, 2, 2] and table.classes.tolist() == [0, 0, 1]
    assert table.counts.tolist() == [1, 1, 2]
    assert table.vectors is not None and table.vectors.tolist() == [[5, 5], [7, 7], [2, 1]]
    assert table.size_counts is not None and table.size_counts.tolist() == [[0, 1], [0, 1], [1, 1]]


def test_take_gives_images_in_any_order() -> None:
    table = ObjectTable.from_boxes([2, 2, 0, 2], [1, 1, 0, 0], 4, 3)
    taken = table.take([3, 2, 0])
    assert (taken.images.tolist(), taken.classes.tolist(), taken.counts.tolist()) == ([1, 1, 2], [0, 1, 0], [1, 2, 1])
    assert table.take([]).images.tolist() == [] and len(table.take([1, 3])) == 2


def test_no_boxes_at_all() -> None:
    table = ObjectTable.from_boxes([], [], 5, 2, vectors=np.empty((0, 3)))
    assert len(table) == 5 and table.vectors is not None and table.vectors.shape == (0, 3)


@pytest.mark.parametrize(
    ("images", "classes"), [([0, 4], [0, 0]), ([0, 1], [0, 2]), ([1, 0], [0, 0]), ([1, 1], [0, 0]), ([0], [0, 1])]
)
def test_refusals(images: list[int], classes: list[int]) -> None:
    with pytest.raises(InputError):
        ObjectTable(4, 2, np.array(images), np.array(classes), np.ones(len(images), np.int64))
