"""Write numbers with a fixed number of significant digits: 0.0412 keeps three digits, and 12345 gets no decimals."""

from __future__ import annotations

import math

MOST = 12
"""Maximum number of digits after the decimal point. A number that needs more digits is written with an exponent."""

ROUNDING = 1e-9
"""Numbers below this are treated as rounding errors. A spread is compared with this times the number."""


def significant(value: float, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, for example ``0.0412`` or ``3.1``.

    Digits before the decimal point are never rounded: ``12345``.
    """
    if not math.isfinite(value):
        return f"{value}"
    return _write_decimals(value, _count_decimals(value, digits))


def with_spread(value: float, spread: float, digits: int = 3) -> str:
    """Return a number and its spread, such as ``0.50 ± 0.01``, both with the same number of decimals.

    If the spread is NaN or infinite, return only the number.
    """
    if not math.isfinite(value) or not math.isfinite(spread):
        return significant(value, digits)
    if spread <= ROUNDING * abs(value):
        return f"{significant(value, digits)} ± 0"
    decimals = max(_count_decimals(value, digits), _count_decimals(spread, 1))
    if decimals > MOST:
        return f"{significant(value, digits)} ± {significant(spread, digits)}"
    return f"{value:.{decimals}f} ± {spread:.{decimals}f}"


def fixed(value: float, decimals: int, *, sign: bool = False) -> str:
    """Return a number with `decimals` decimals, or with more decimals if it would otherwise be rounded to 0."""
    value = 0.0 if abs(value) < ROUNDING else value
    mark = "+" if sign and value else ""
    return f"{value:{mark}.{_more_decimals(value, decimals)}f}"


def fixed_with_spread(value: float, spread: float, decimals: int) -> str:
    """Return a number and its spread, such as ``0.50 ± 0.01``, with `decimals` decimals.

    If the number or its spread would be rounded to 0, both get more decimals. If the spread is NaN or infinite, return
    only the number.
    """
    if not math.isfinite(value) or not math.isfinite(spread):
        return fixed(value, decimals)
    value = 0.0 if abs(value) < ROUNDING else value
    spread = 0.0 if spread <= ROUNDING * max(1.0, abs(value)) else spread
    decimals = max(_more_decimals(value, decimals), _more_decimals(spread, decimals))
    return f"{value:.{decimals}f} ± {spread:.{decimals}f}" if value or spread else f"{value:.{decimals}f}"


def percent(part: int, whole: int) -> str:
    """Return `part` as a percentage of `whole`, such as ``12%``.

    More decimals are used if rounding would wrongly give 0% or 100%.
    """
    ratio = part / whole
    for decimals in range(MOST):
        text = f"{ratio:.{decimals}%}"
        if float(text[:-1]) not in (0, 100) or part in (0, whole):
            return text
    return f"{ratio:.0%}"


def change(ratio: float) -> str:
    """Return a ratio as a change in percent: 0.3 becomes ``-70 %``.

    More digits are used if rounding would wrongly give -100 % or +0 %.
    """
    return f"{_write_percent(100 * (ratio - 1))} %"


def less_or_more(ratio: float) -> str:
    """Return a ratio as a change in words: 0.3 becomes ``70 % less``."""
    return f"{_write_percent(100 * (ratio - 1))[1:]} % {'more' if ratio > 1 else 'less'}"


def _write_percent(percent: float) -> str:
    """Return a signed percentage, with more decimals if rounding would wrongly give -100 or +0."""
    for decimals in range(MOST):
        text = f"{percent:+.{decimals}f}"
        if not ((float(text) == 0 and percent != 0) or (float(text) == -100 < percent)):
            return text
    return f"{percent:+.0f}"


def _more_decimals(value: float, decimals: int) -> int:
    """Return `decimals`, or a larger number of decimals if the value would otherwise be rounded to 0."""
    while value and math.isfinite(value) and decimals < MOST and float(f"{value:.{decimals}f}") == 0:
        decimals += 1
    return decimals


def _count_decimals(value: float, digits: int) -> int:
    """Return how many decimals `value` needs to be written with `digits` significant digits."""
    if value == 0:
        return 0
    # rounding may add a digit: 0.09996 becomes 0.100
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return max(0, digits - 1 - exponent)


def _write_decimals(value: float, decimals: int) -> str:
    """Return a number with at most `decimals` decimals and without trailing zeros."""
    if decimals > MOST:
        return f"{value:.2e}"
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun, for example ``1 image`` or ``1,200 images``. `plural` is needed if it has no s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
