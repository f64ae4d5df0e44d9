from __future__ import annotations

import numpy as np
import pytest

from detreduce.reducers import make_reducer
from detreduce.reducers.methods.stride import evenly_spaced


def stride(n: int, k: int | float, **options: object) -> list[int]:
    return make_reducer("stride", keep=k).fit(np.empty((n, 0)), **options).selected_idx_.tolist()


def test_every_mth_frame() -> None:
    assert stride(10, 5) == [0, 2, 4, 6, 8]
    assert stride(100, 0.1) == list(range(0, 100, 10))
    assert stride(10, 3) == [0, 3, 6] and stride(3, 3) == [0, 1, 2] and stride(7, 1) == [0]


def test_gaps_differ_by_one_at_most() -> None:
    for n in (7, 50, 333):
        for k in range(2, n):
            gaps = np.diff([*stride(n, k), n])
            assert gaps.min() >= n // k and gaps.max() <= -(-n // k)


def test_groups_are_sequences_with_seats_in_proportion() -> None:
    groups = ["b", "a", "a", "b", "a", "a", "a", "a", "b"]
    # a has rows 1, 2, 4, 5, 6, 7, b has 0, 3, 8: one seat each, then 6/3 against 3/3
    reducer = make_reducer("stride", keep=3).fit(np.empty((9, 0)), groups=groups)
    assert reducer.selected_idx_.tolist() == [1, 0, 5]
    assert reducer.strata_.tolist() == [1, 0, 0, 1, 0, 0, 0, 0, 1]
    assert reducer.scores_[[1, 0, 5]].tolist() == [0, 0, -1] and np.isnan(reducer.scores_[2])


def test_no_more_of_a_group_than_allowed_still_evenly_spaced() -> None:
    groups = np.repeat([0, 1, 2], [12, 4, 4])
    reducer = make_reducer("stride", keep=6).fit(np.empty((20, 0)), groups=groups, max_per_group=2)
    assert sorted(reducer.selected_idx_.tolist()) == [0, 6, 12, 14, 16, 18]


def test_categories_are_ignored() -> None:
    assert stride(10, 5, categories=list("abababccba")) == [0, 2, 4, 6, 8]


def test_frames_chosen_before_stand_for_the_nearest_place() -> None:
    assert stride(10, 5, initial=[3]) == [3, 0, 4, 6, 8]
    assert stride(10, 5, initial=[9, 0]) == [9, 0, 2, 4, 6]
    # places 0 and 1 mean rows 0 and 2; row 1 is already chosen and has no place
    assert stride(10, 5, initial=[0, 1]) == [0, 1, 4, 6, 8]


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_any_frames_chosen_before(n: int) -> None:
    for mask in range(1, 2**n):
        chosen = np.array([place for place in range(n) if mask >> place & 1])[::-1]
        for k in range(len(chosen), n + 1):
            rest = evenly_spaced(n, k, chosen)
            assert len(set(rest) | set(chosen)) == k == len(rest) + len(chosen)
            assert rest.tolist() == sorted(rest.tolist())
