"""The methods that rank images by the predictions of a detector, on made-up scores with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from detreduce.errors import InputError
from detreduce.reducers import make_reducer

SCORES = np.array([[3.0, 0.1, 0.2], [2.0, 0.9, 0.9], [0.0, 0.0, 0.0], [1.0, 0.5, 1.0]])


@pytest.mark.parametrize(("over", "order"), [("sum", [0, 1, 3]), ("mean", [1, 3, 0]), ("max", [3, 1, 0])])
def test_the_largest_scores_come_first(over: str, order: list[int]) -> None:
    reducer = make_reducer("uncertainty", keep=3, over=over).fit(SCORES)
    assert reducer.selected_idx_.tolist() == order


def test_disagreement_takes_the_largest_scores() -> None:
    reducer = make_reducer("disagreement", keep=2).fit(np.array([[0.2], [0.9], [0.0], [0.5]]))
    assert reducer.selected_idx_.tolist() == [1, 3]
    np.testing.assert_array_equal(reducer.scores_, [0.2, 0.9, 0.0, 0.5])


@pytest.mark.parametrize("method", ["uncertainty", "disagreement"])
def test_a_limit_per_group_spreads_the_choice(method: str) -> None:
    """One video has all the high scores, but may fill only one place."""
    scores = np.repeat([[9.0], [8.0], [7.0], [2.0], [1.0]], 3 if method == "uncertainty" else 1, axis=1)
    reducer = make_reducer(method, keep=3).fit(scores, groups=["a", "a", "a", "b", "c"], max_per_group=1)
    assert reducer.selected_idx_.tolist() == [0, 3, 4]


@pytest.mark.parametrize("method", ["uncertainty", "disagreement"])
def test_equal_scores_are_decided_by_the_seed(method: str) -> None:
    scores = np.zeros((30, 3 if method == "uncertainty" else 1))
    chosen = [make_reducer(method, keep=5, random_state=seed).fit(scores).selected_idx_.tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize("method", ["uncertainty", "disagreement"])
def test_without_the_block_of_a_detector_the_method_says_what_it_needs(method: str) -> None:
    with pytest.raises(InputError, match="--detector"):
        make_reducer(method, keep=1).fit(np.zeros((4, 7)))


def test_an_unknown_way_to_combine_boxes_is_refused() -> None:
    with pytest.raises(InputError, match="sum, mean, max"):
        make_reducer("uncertainty", over="median").check_params()
