"""Numbers of any size with their significant digits: 0.04 never becomes 0.0, and 12345 has no point."""

from __future__ import annotations

import math

MOST = 12
"""Digits after the point beyond which a number is written with an exponent."""


def significant(value: float, digits: int = 3) -> str:
    """Return a number with `digits` significant digits; whole numbers keep all: ``0.0412``, ``3.1``, ``12345``."""
    if not math.isfinite(value):
        return f"{value}"
    return _written(value, _decimals(value, digits))


def with_spread(value: float, spread: float, digits: int = 3) -> str:
    """Return a number ± its spread, with the digits after the point that both need; no spread if it is not known."""
    if not math.isfinite(value) or not math.isfinite(spread):
        return significant(value, digits)
    # a rounding error is no spread
    if spread <= 1e-9 * abs(value):
        return f"{significant(value, digits)} ± 0"
    decimals = max(_decimals(value, digits), _decimals(spread, 1))
    if decimals > MOST:
        return f"{significant(value, digits)} ± {significant(spread, digits)}"
    return f"{value:.{decimals}f} ± {spread:.{decimals}f}"


def change(ratio: float) -> str:
    """Return a ratio as a change in per cent: ``-70 %``; with more digits if -100 % or +0 % would be wrong."""
    return f"{_change(100 * (ratio - 1))} %"


def less_or_more(ratio: float) -> str:
    """Return a ratio as a change in words: ``70 % less``."""
    return f"{_change(100 * (ratio - 1))[1:]} % {'more' if ratio > 1 else 'less'}"


def _change(percent: float) -> str:
    for decimals in range(MOST):
        text = f"{percent:+.{decimals}f}"
        if not ((float(text) == 0 and percent != 0) or (float(text) == -100 < percent)):
            return text
    return f"{percent:+.0f}"


def _decimals(value: float, digits: int) -> int:
    """Return the digits after the point that `digits` significant digits need."""
    if value == 0:
        return 0
    # rounding may add a digit: 0.09996 becomes 0.100
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return max(0, digits - 1 - exponent)


def _written(value: float, decimals: int) -> str:
    if decimals > MOST:
        return f"{value:.2e}"
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
