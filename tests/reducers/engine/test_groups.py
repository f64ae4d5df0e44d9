from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.reducers.base import BaseReducer, Ranking, ScoringReducer
from detreduce.reducers.engine.groups import Groups, Openings, make_groups
from detreduce.reducers.engine.pool import Pool


class Largest(ScoringReducer):
    """Highest first feature first."""

    name, family, cost, source, summary = "largest", "test", "n", "here", "largest value"
    deterministic = True

    def _score(self, pool: Pool) -> np.ndarray:
        return pool.X[:, 0].astype(float)


class LargestFew(BaseReducer):
    """The same order, computed only as far as asked for; `asked` counts the requests."""

    name, family, cost, source, summary = "largest_few", "test", "n", "here", "largest value"
    deterministic = nested = True
    asked = 0

    def _rank(self, pool: Pool) -> Ranking:
        self.asked += 1
        order = np.argsort(-pool.X[:, 0])
        order = order[~np.isin(order, pool.initial)][: pool.wanted]
        return Ranking(order, pool.X[:, 0].astype(float))


X = np.array([[9.0], [8.0], [7.0], [6.0], [5.0], [4.0], [3.0]])


@pytest.mark.parametrize("cls", [Largest, LargestFew])
def test_a_full_group_gives_way_to_the_next_best(cls: type[BaseReducer]) -> None:
    groups = ["a", "a", "a", "a", "b", "c", "b"]
    reducer = cls(keep=4).fit(X, groups=groups, max_per_group=2)
    assert reducer.selected_idx_.tolist() == [0, 1, 4, 5]
    assert cls(keep=3).fit(X, groups=groups, max_per_group=1).selected_idx_.tolist() == [0, 4, 5]
    assert reducer.scores_.tolist() == X[:, 0].tolist()


def test_a_scoring_method_ranks_all_that_the_limit_allows() -> None:
    ranking = Largest(keep=1).fit(X, groups=list("aaaabcb"), max_per_group=1).ranking_
    assert ranking.tolist() == [0, 4, 5]


@pytest.mark.parametrize("cls", [Largest, LargestFew])
def test_a_category_without_open_images_gives_its_seat_up(cls: type[BaseReducer]) -> None:
    # category 0 has rows 0 to 3 in group a alone; category 1 has the others
    y = [0, 0, 0, 0, 1, 1, 1]
    reducer = cls(keep=4).fit(X, y, groups=list("aaaabcd"), max_per_group=1)
    assert reducer.selected_idx_.tolist() == [0, 4, 5, 6]
    assert reducer.seats_.tolist() == [1, 3]


def test_a_group_that_another_category_filled_is_full() -> None:
    # category 0 gets its seats first, and so takes group a from category 1
    y = [0, 0, 0, 1, 1]
    reducer = Largest(keep=2).fit(X[:5], y, groups=list("abbac"), max_per_group=1)
    assert reducer.selected_idx_.tolist() == [0, 4]


def test_only_what_is_too_short_is_ranked_again() -> None:
    reducer = LargestFew(keep=3)
    reducer.fit(X, groups=list("aaaabcb"), max_per_group=1)
    # 3, then 6 of 7 images
    assert reducer.asked == 2
    reducer.fit(X, groups=list("abcdefg"), max_per_group=1)
    assert reducer.asked == 3


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_feasible_budget_is_met_by_every_kind_of_method(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 25))
    draw = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    groups = draw.integers(data.draw(st.integers(1, n)), size=n)
    y = draw.integers(data.draw(st.integers(1, 5)), size=n)
    most = data.draw(st.integers(1, 4))
    initial = [int(draw.integers(n))]
    possible = int(np.minimum(np.bincount(groups), most).sum())
    k = data.draw(st.integers(1, possible))
    for method in ("srs", "mms", "facility", "stride", "clc"):
        reducer = make_reducer(method, keep=k)
        reducer.fit(draw.normal(size=(n, 2)), y, groups=groups, max_per_group=most, initial=initial)
        chosen = reducer.selected_idx_
        assert len(set(chosen.tolist())) == k and chosen[0] == initial[0]
        assert np.bincount(groups[chosen]).max() <= most


def test_greedy_methods_leave_a_full_group_out_while_they_choose() -> None:
    # Images 0 (the box of A) and 1 (four of five boxes of B) are of one group. Once image 0 is kept, image 1 must not
    # count. So image 2 (the fifth box of B, sqrt(1/5)) comes before images 3 to 8 (a box of C each, sqrt(1/6)).
    images, classes = [0, *[1] * 4, 2, *range(3, 9)], [0, *[1] * 5, *[2] * 6]
    table = ObjectTable.from_boxes(images, classes, 9, 3)
    reducer = make_reducer("class_coverage", keep=2)
    groups = [0, 0, *range(1, 8)]
    assert reducer.fit(np.empty((9, 0)), objects=table, groups=groups, max_per_group=1).selected_idx_.tolist() == [0, 2]


def test_mms_does_not_keep_away_from_what_a_full_group_would_have_given() -> None:
    # 20 and 11 are of one group; if 11 still counted after 20, the next image would be 5
    points = np.array([[0.0], [20], [11], [5], [14]])
    reducer = make_reducer("mms", keep=4, start=0).fit(points, groups=[0, 1, 1, 2, 3], max_per_group=1)
    assert reducer.selected_idx_.tolist() == [0, 1, 4, 3]
    assert reducer.scores_.tolist() == [np.inf, 20, 3, 5, 6]
    options = {"groups": [0, 0, 1, 1, 1], "max_per_group": 1, "initial": [1]}
    full = make_reducer("mms", keep=2, start=0).fit(points, [0, 1, 1, 0, 1], **options)
    assert full.selected_idx_.tolist() == [1, 3], "the start is of a group that is full"


def test_more_than_the_groups_allow_is_refused() -> None:
    with pytest.raises(InputError, match=r"3 images.* max_per_group=1 .* 2 "):
        Largest(keep=3).fit(X, groups=list("aaaabbb"), max_per_group=1)
    with pytest.raises(InputError, match=r"2 .* group 'a'.* max_per_group=1 "):
        Largest(keep=3).fit(X, groups=list("aaaabcb"), max_per_group=1, initial=[0, 1])


def test_room_counts_what_is_free_and_allowed() -> None:
    groups = Groups(np.array([0, 0, 0, 1, 1, 2]), ["a", "b", "c"], 2)
    strata = np.array([0, 0, 1, 1, 1, 1])
    assert groups.remaining(np.array([0])).tolist() == [1, 2, 1]
    # stratum 0: row 1; stratum 1: one of a, two of b, one of c
    assert groups.room(strata, 2, np.array([0])).tolist() == [1, 4]


def test_openings_close_a_group_that_is_full() -> None:
    pool = Pool(np.empty((5, 0)), np.arange(5), 0, 0, 3, np.array([4]), 0)
    plain = Openings(pool)
    plain.take(1)
    assert plain.mask.tolist() == [True, False, True, True, False]
    pool.group_codes, pool.group_left = np.array([0, 0, 1, 1, 1]), np.array([1, 1])
    limited = Openings(pool)
    limited.take(1)
    assert limited.mask.tolist() == [False, False, True, True, False]
    assert pool.group_left.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("groups", "most", "says"),
    [
        (None, 2, "needs groups="),
        ([1, 2], 0, "max_per_group=0 "),
        ([1, 2], np.True_, "max_per_group=.*True"),
        ([1, 2], 2.0, "max_per_group=2.0 "),
        ([1], 2, r"groups has shape \(1,\)"),
        ([1, float("nan")], 2, "groups row 1 is nan"),
    ],
)
def test_refusals(groups: object, most: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_groups(groups, most, 2)


def test_groups_without_a_limit_are_for_methods_that_use_them() -> None:
    with pytest.raises(InputError, match=r"groups=.* max_per_group="):
        Largest().fit(X, groups=list("abcdefg"))
    groups = make_groups(["b", "a", "b"], None, 3)
    assert groups is not None and groups.codes.tolist() == [1, 0, 1] and groups.labels == ["a", "b"]
    assert make_groups(None, None, 3) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 3))
def test_reachable_is_the_most_of_each_class_that_any_choice_has(seed: int, n: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    present, codes = rng.random((n, 2)) < 0.6, rng.integers(2, size=n)
    chosen = np.array([row for row in range(n) if rng.random() < 0.3 and most >= 2], np.int64)[:2]
    found = Groups(codes, ["a", "b"], most).reachable(present, chosen)
    choices = [np.array([row >> place & 1 for place in range(n)], bool) for row in range(2**n)]
    allowed = [rows for rows in choices if rows[chosen].all() and np.bincount(codes[rows], minlength=2).max() <= most]
    assert found.tolist() == [max(int(present[rows, label].sum()) for rows in allowed) for label in range(2)]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_openings_are_the_rows_whose_group_has_room(codes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, n = rng.integers(0, 4, 6), len(codes)
    pool = Pool(np.empty((n, 0)), np.arange(n), 0, 0, n, np.empty(0, np.int64), 0, None, np.array(codes), left.copy())
    openings, taken = Openings(pool), list[int]()
    for _ in range(n):
        full = [sum(codes[row] == code for row in taken) >= left[code] for code in codes]
        expected = [row for row in range(n) if row not in taken and not full[row]]
        assert np.flatnonzero(openings.mask).tolist() == expected and (pool.group_left == left).all()
        if expected:
            taken.append(int(rng.choice(expected)))
            openings.take(taken[-1])


def test_openings_read_only_the_groups_of_the_pool() -> None:
    """A dataset can have as many pools and as many groups as images."""
    left = np.ones(500_000, np.int64)
    pool = Pool(np.empty((2, 0)), np.arange(2), 0, 0, 2, np.empty(0, np.int64), 0, None, np.array([0, 499_999]), left)
    tracemalloc.start()
    try:
        Openings(pool).take(0)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
