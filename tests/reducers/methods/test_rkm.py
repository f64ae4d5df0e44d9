from __future__ import annotations

import numpy as np
import pytest

from detreduce.reducers import make_reducer


def test_by_hand() -> None:
    # Two clusters, whatever the categories are. Equal shares, though one cluster is larger; the image nearest the
    # centre comes first.
    X = np.array([[0.0], [1.0], [2.0], [3.1], [4.0], [100.0], [101.0], [103.0]])
    y = ["a", "b"] * 4
    reducer = make_reducer("rkm", keep=4).fit(X, y)
    assert reducer.selected_idx_.tolist() == [2, 6, 1, 5] or reducer.selected_idx_.tolist() == [2, 6, 3, 5]
    assert reducer.scores_[2] == pytest.approx(-0.02) and reducer.scores_[7] == pytest.approx(-5 / 3)
    assert reducer.seats_.sum() == 4
    # the smaller cluster is topped up from the larger
    assert make_reducer("rkm", keep=7).fit(X, y).strata_[5] == make_reducer("rkm", keep=7).fit(X, y).strata_[7]
    assert {5, 6, 7} <= set(make_reducer("rkm", keep=7).fit(X, y).selected_idx_.tolist())
