"""Methods that use objects, on tables with very many classes, most of which are in one image or in none."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from detreduce.arrays.object_table import ObjectTable
from detreduce.reducers import make_reducer

IMAGES, CLASSES, WIDTH = 100, 30_000, 256


@pytest.mark.parametrize("method", ["herding", "csod", "class_coverage"])
def test_no_table_has_a_row_for_each_class(method: str) -> None:
    rng = np.random.default_rng(0)
    images = np.repeat(np.arange(IMAGES), 3)
    # two classes are in many images, the others in one
    classes = np.where(np.arange(len(images)) % 3, rng.integers(0, CLASSES, len(images)), images % 2)
    vectors = rng.normal(size=(len(images), WIDTH))
    table = ObjectTable.from_boxes(images, classes, IMAGES, CLASSES, vectors=vectors)
    make_reducer(method, keep=2).fit(np.empty((2, 0)), objects=table.take([0, 1]))  # imports what the method needs
    tracemalloc.start()
    try:
        make_reducer(method, keep=0.3).fit(np.empty((IMAGES, 0)), objects=table)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < CLASSES * WIDTH * 8 / 2
