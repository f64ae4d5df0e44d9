"""Rungs, survivors and schedules with known answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.experiment.tuning.halving import (
    FEWEST_SEEDS,
    MOST_SEEDS,
    Conditions,
    Schedule,
    affordable_seeds,
    find_schedule,
    keep_best,
    rung_sizes,
)

LENGTHS = [100, 200, 300, 400, 600, 800]


def question(sizes: list[int], budget: float, last: int = 0, fixed: float = 0.0) -> Conditions:
    """One image costs 1, and every training `fixed`."""
    return Conditions(sizes, LENGTHS, lambda length: fixed + length, budget, last)


@pytest.mark.parametrize(
    ("recipes", "sizes"), [(1, [1]), (2, [2]), (3, [3, 2]), (4, [4, 2]), (7, [7, 4, 2]), (9, [9, 5, 3, 2])]
)
def test_half_of_the_recipes_go_on(recipes: int, sizes: list[int]) -> None:
    assert rung_sizes(recipes) == sizes


def test_the_best_come_first_and_ties_keep_their_order() -> None:
    assert keep_best({"a": 0.1, "b": 0.3, "c": 0.3, "d": 0.2}, 3) == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("budget", "schedule"),
    [
        # 7 x 100 + 4 x 200 + 2 x 400 = 2300, and 2 x 3 x 400 = 2400
        (4700, Schedule((100, 200, 400), 3)),
        (5499, Schedule((100, 200, 400), 3)),
        (5500, Schedule((100, 200, 400), 4)),
        # 7 x 200 + 4 x 400 + 2 x 800 = 4600, and 2 x 3 x 800 = 4800
        (9400, Schedule((200, 400, 800), 3)),
        (100_000, Schedule((200, 400, 800), 7)),
        # two rungs: 7 x 100 + 4 x 200, and 6 x 200
        (2700, Schedule((100, 200), 3)),
        # one rung: 7 x 100, and 6 x 100
        (1300, Schedule((100,), 3)),
        # no comparison
        (1299, Schedule((100,), 0)),
        (699, None),
    ],
)
def test_schedules_of_seven_recipes(budget: float, schedule: Schedule | None) -> None:
    assert find_schedule(question([7, 4, 2], budget)) == schedule


def test_the_smallest_budget_is_that_of_the_shortest_first_rung() -> None:
    asked = question([7, 4, 2], 1, fixed=10)
    assert asked.smallest_budget == 770
    assert find_schedule(question([7, 4, 2], 770, fixed=10)) == Schedule((100,), 0)
    assert find_schedule(question([7, 4, 2], 769, fixed=10)) is None


def test_a_later_rung_is_longer_than_the_last_one() -> None:
    # 4 x 400 + 2 x 800 = 3200, and 6 x 800
    assert find_schedule(question([4, 2], 8000, last=200)) == Schedule((400, 800), 3)
    # with less, a comparison at the length of the last rung comes before longer rungs
    assert find_schedule(question([4, 2], 1300, last=200)) == Schedule((), 3)
    assert find_schedule(question([], 1600, last=200)) == Schedule((), 4)
    assert find_schedule(question([], 1199, last=200)) is None


def test_seeds_that_a_budget_allows() -> None:
    assert [affordable_seeds(10, budget) for budget in (-1, 19, 20, 60, 1e9)] == [0, 0, 1, 3, MOST_SEEDS]


@given(
    st.integers(2, 12),
    st.floats(0, 50_000),
    st.floats(0, 500),
    st.lists(st.integers(1, 5000), min_size=1, max_size=30, unique=True).map(sorted),
)
def test_a_schedule_keeps_the_budget(recipes: int, budget: float, fixed: float, lengths: list[int]) -> None:
    def price(length: int) -> float:
        return fixed + length

    sizes = rung_sizes(recipes)
    found = find_schedule(Conditions(sizes, lengths, price, budget))
    if found is None:
        assert budget < sizes[0] * price(lengths[0])
        return
    assert list(found.lengths) == sorted(set(found.lengths)) and set(found.lengths) <= set(lengths)
    assert found.seeds == 0 or FEWEST_SEEDS <= found.seeds <= MOST_SEEDS
    cost = sum(size * price(length) for size, length in zip(sizes, found.lengths, strict=False))
    assert cost + 2 * found.seeds * price(found.lengths[-1]) <= budget * (1 + 1e-9) + 1e-6
