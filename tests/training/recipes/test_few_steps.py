from __future__ import annotations

from typing import Any

import pytest

from detreduce.training.recipes.few_steps import count_steps, describe_few_steps


@pytest.mark.parametrize(
    ("batch", "nbs", "seen", "found"),
    [(8, 64, 1792, (64, 28)), (8, 8, 1792, (8, 224)), (16, 64, 900, (64, 14)), (24, 64, 900, (72, 12)),
     (64, 16, 640, (64, 10)), (8, 64, 10, (64, 1))],
)  # fmt: skip
def test_steps_by_hand(batch: int, nbs: int, seen: int, found: tuple[int, int]) -> None:
    assert count_steps(batch, nbs, seen) == found


@pytest.mark.parametrize(
    ("arguments", "seen", "numbers"),
    [
        ({"batch": 8}, 1792, ("64", "28", "nbs=8")),
        ({}, 1792, ("64", "28", "nbs=16")),
        ({"batch": 8, "nbs": 16}, 1600, ("16", "100", "nbs=8")),
    ],
)
def test_few_large_steps_are_named(arguments: dict[str, Any], seen: int, numbers: tuple[str, ...]) -> None:
    text = describe_few_steps(arguments, seen)
    assert all(number in text for number in numbers)


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ({"batch": 8, "nbs": 8}, 80),
        ({"batch": 64}, 640),
        ({"batch": 8}, 64 * 500),
        ({"batch": -1}, 80),
        ({"batch": 0.5}, 80),
    ],
)
def test_other_trainings_get_no_note(arguments: dict[str, Any], seen: int) -> None:
    assert describe_few_steps(arguments, seen) == ""
