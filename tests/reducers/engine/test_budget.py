from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.errors import InputError
from detreduce.reducers.engine.budget import allot_seats, resolve_keep, seat_sequence


@pytest.mark.parametrize(
    ("keep", "n", "expected"),
    [
        (1, 10, 1),
        (1.0, 10, 10),
        (10, 10, 10),
        (0.25, 10, 3),  # 2.5 rounds up
        (0.15, 10, 2),
        (0.1, 4, 1),  # 0.4 would be none
        (1e-9, 10, 1),
        (0.35, 10, 4),  # 3.5 in float64
        (np.int64(3), 10, 3),
        (np.uint8(3), 10, 3),
        (np.float32(0.5), 9, 5),
        (np.float64(0.5), 9, 5),
        (0.1, 118_287, 11_829),
    ],
)
def test_resolve_keep(keep: Any, n: int, expected: int) -> None:
    k = resolve_keep(keep, n)
    assert k == expected and type(k) is int


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (0, "keep=0"),
        (11, "keep=11.* 10 "),
        (-1, "count"),
        (0.0, "fraction"),
        (25.0, "Write 25 for 25 images, or 0.25 for 25 %"),
        (1.5, "fraction"),
        (float("nan"), "fraction"),
        (float("inf"), "fraction"),
        (True, "not a number"),
        (np.bool_(True), "not a number"),
        ("0.25", "not a number"),
        (None, "not a number"),
        (Decimal("0.5"), "not a number"),
        (0.5j, "not a number"),
    ],
)
def test_refused_keep(keep: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        resolve_keep(keep, 10)


def test_no_images() -> None:
    with pytest.raises(InputError, match="no images"):
        resolve_keep(1.0, 0)


@pytest.mark.parametrize(
    ("counts", "k", "expected"),
    [
        # the largest-remainder rule would give 4, 4, 2 for 10; here 6/9 and 2/3 tie, and the larger category wins
        ([6, 6, 2], 10, [5, 4, 1]),
        ([6, 6, 2], 11, [5, 5, 1]),
        ([6, 6, 2], 12, [5, 5, 2]),
        ([1, 9], 1, [0, 1]),
        ([5, 5], 1, [1, 0]),
        ([0, 3], 2, [0, 2]),
        ([4, 4, 4], 12, [4, 4, 4]),
        ([100, 1, 1], 3, [1, 1, 1]),
    ],
)
def test_allot_seats(counts: list[int], k: int, expected: list[int]) -> None:
    assert allot_seats(counts, k).tolist() == expected


def test_seat_sequence_by_hand() -> None:
    # one each: 0, 1, 2; then 9/3 = 3 > 6/3 = 2 > 9/5 = 1.8 > 9/7 > 6/5 > 3/3 = 9/9 (to the larger)
    assert seat_sequence([9, 6, 3], 10).tolist() == [0, 1, 2, 0, 1, 0, 0, 1, 0, 2]


def test_seats_held_count() -> None:
    # category 0 holds three of its four; the floor still comes first
    assert seat_sequence([4, 4, 2], 4, [3, 0, 0]).tolist() == [1, 2, 1, 1]


def test_too_many_seats() -> None:
    with pytest.raises(InputError, match="cannot be chosen"):
        seat_sequence([1, 2], 4)
    with pytest.raises(InputError, match="cannot be chosen"):
        seat_sequence([1, 2], 1, [2, 0])


def plain_seats(counts: list[int], k: int, held: list[int]) -> list[int]:
    """Apply the documented rule literally, with exact fractions."""
    from fractions import Fraction

    seats, sequence = list(held), []
    for _ in range(k):
        free = [c for c in range(len(counts)) if seats[c] < counts[c]]
        without = [c for c in free if seats[c] == 0]
        if without:
            winner = max(without, key=lambda c: (counts[c], -c))
        else:
            winner = max(free, key=lambda c: (Fraction(counts[c], 2 * seats[c] + 1), counts[c], -c))
        seats[winner] += 1
        sequence.append(winner)
    return sequence


@given(st.data())
def test_seats_against_the_rule(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=8))
    held = [data.draw(st.integers(0, count)) for count in counts]
    k = data.draw(st.integers(0, sum(counts) - sum(held)))
    sequence = seat_sequence(counts, k, held).tolist()
    assert sequence == plain_seats(counts, k, held)
    assert allot_seats(counts, k, held).tolist() == [sequence.count(c) for c in range(len(counts))]


def test_many_images_and_categories() -> None:
    counts = np.random.default_rng(0).multinomial(118_000, np.full(2000, 1 / 2000))
    k = 11_800
    seats = allot_seats(counts, k)
    assert seats.sum() == k and (seats >= 1).all() and (seats <= counts).all()
