"""The packed data of a page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detreduce.arrays.class_counts import as_sparse
from detreduce.pages.image_data import _boxes


@given(arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.integers(0, 3)), st.data())
def test_classes_of_a_row_are_listed_with_most_boxes_first(counts: npt.NDArray[np.int64], data: Any) -> None:
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(counts) - 1)))), np.int64)
    wanted = []
    for row in rows:
        pairs = sorted((-number, kind) for kind, number in enumerate(counts[row].tolist()) if number)
        wanted.append([value for number, kind in pairs for value in (kind, -number)])
    assert _boxes(SimpleNamespace(labelled=True, sparse_class_counts=as_sparse(counts)), rows) == wanted
