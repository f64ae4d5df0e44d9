from __future__ import annotations

import numpy as np

from detreduce.reducers.engine.ordering import best, descending, gain_scores, place_scores


def test_rounding_decides_no_rank() -> None:
    scores = np.array([1.0, 2.0, 2.0 * (1 + 1e-13), np.inf, -np.inf, 0.0, np.inf])
    order, levelled = descending(scores, np.array([0, 1, 2, 3, 4, 5, 0]).__getitem__)
    assert order.tolist() == [6, 3, 1, 2, 0, 5, 4]
    assert levelled[1] == levelled[2] == scores[2] and levelled[[0, 5]].tolist() == [1.0, 0.0]
    assert best(scores[:3], np.array([0, 2, 1])) == 2 and best(scores[:3], np.array([0, 1, 2])) == 1
    assert best(np.array([-np.inf, -np.inf]), np.array([1, 0])) == 1


def test_scores_are_places_or_gains() -> None:
    order = np.array([2, 0])
    remaining = np.array([9.0, 1.0, 9.0, np.nan, 3.0, 1.0])
    np.testing.assert_array_equal(place_scores(order, remaining), [-1.0, -3.0, 0.0, np.nan, -2.0, -3.0])
    gains = np.array([5.0, 5.5])
    # rounding made the second gain rise, and a remaining gain exceed it
    np.testing.assert_array_equal(gain_scores(order, gains, np.array([0.0, 6.0, 0.0, 1.0])), [5.0, 5.0, 5.0, 1.0])
