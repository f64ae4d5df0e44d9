from __future__ import annotations

import math

import pytest

from detreduce.display.numbers import change, fixed, fixed_with_spread, less_or_more, percent, significant, with_spread


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.04, "0.04"),
        (0.0412345, "0.0412"),
        (0.09996, "0.1"),
        (3.10001, "3.1"),
        (99.96, "100"),
        (999.9, "1000"),
        (12345.6, "12346"),
        (-0.04, "-0.04"),
        (1e-7, "0.0000001"),
        (1.234e-20, "1.23e-20"),
        (math.inf, "inf"),
    ],
)
def test_three_digits_that_say_something(value: float, shown: str) -> None:
    assert significant(value) == shown


@pytest.mark.parametrize(
    ("value", "spread", "shown"),
    [
        (0.04, 0.003, "0.0400 ± 0.0030"),
        (12.345, 0.0004, "12.3450 ± 0.0004"),
        (1234.0, 0.0, "1234 ± 0"),
        (0.18, 3.4e-17, "0.18 ± 0"),
        (1234.0, 20.0, "1234 ± 20"),
        (0.04, math.nan, "0.04"),
        (1e-20, 1e-21, "1.00e-20 ± 1.00e-21"),
    ],
)
def test_a_spread_and_its_mean_have_as_many_decimals(value: float, spread: float, shown: str) -> None:
    assert with_spread(value, spread) == shown


@pytest.mark.parametrize(
    ("ratio", "signed", "words"),
    [
        (0.3, "-70 %", "70 % less"),
        (1.5, "+50 %", "50 % more"),
        (0.9996, "-0.04 %", "0.04 % less"),
        (0.001, "-99.9 %", "99.9 % less"),
        (2.0, "+100 %", "100 % more"),
        (2.004, "+100 %", "100 % more"),
        (0.0, "-100 %", "100 % less"),
        (1.0, "+0 %", "0 % less"),
    ],
)
def test_a_ratio_is_a_change_that_is_true(ratio: float, signed: str, words: str) -> None:
    assert (change(ratio), less_or_more(ratio)) == (signed, words)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "+0.500"), (-0.02, "-0.020"), (0.00012, "+0.0001"), (-0.0004, "-0.0004"), (0.0, "0.000"), (2e-17, "0.000")],
)
def test_a_small_number_is_not_rounded_to_nothing(value: float, shown: str) -> None:
    assert fixed(value, 3, sign=True) == shown


@pytest.mark.parametrize(
    ("value", "spread", "shown"),
    [
        (0.593, 0.01, "0.593 ± 0.010"),
        (0.593, 0.00042, "0.5930 ± 0.0004"),
        (0.00012, 0.00003, "0.00012 ± 0.00003"),
        (0.593, 3e-17, "0.593 ± 0.000"),
        (0.593, math.nan, "0.593"),
        (0.0, 0.0, "0.000"),
    ],
)
def test_neither_a_number_nor_its_spread_is_rounded_to_nothing(value: float, spread: float, shown: str) -> None:
    assert fixed_with_spread(value, spread, 3) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(579, 581, "99.7%"), (581, 581, "100%"), (0, 581, "0%"), (1, 495, "0.2%"), (1, 100_000, "0.001%"), (1, 3, "33%")],
)
def test_only_all_is_100_percent_and_only_none_is_0(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown
