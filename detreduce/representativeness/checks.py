"""Check the options of the measures in this package."""

from __future__ import annotations

import numbers
from typing import Any

from detreduce.errors import InputError, nearest

METRICS = ("bottleneck", "wasserstein")


def check_count(value: Any, name: str, *, or_none: bool = False) -> None:
    """Raise InputError if `value` is not an integer of at least 1. With ``or_none=True``, None is valid too."""
    if value is None and or_none:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise InputError(f"{name}={value!r} must be an integer of at least 1{', or None for all' if or_none else ''}.")


def check_metric(metric: Any) -> None:
    """Raise InputError if `metric` is not a known distance between persistence diagrams."""
    if metric not in METRICS:
        raise InputError(f"metric={metric!r} is not one of {', '.join(METRICS)}.{nearest(str(metric), METRICS)}")


def check_sigma(sigma: Any) -> None:
    """Raise InputError if `sigma`, the width of a kernel, is neither ``auto`` nor a number above 0."""
    number = isinstance(sigma, numbers.Real) and not isinstance(sigma, bool)
    if sigma != "auto" and not (number and 0 < float(sigma) < float("inf")):
        raise InputError(f"sigma={sigma!r} must be 'auto' or a number above 0.")


def check_dimensions(dimensions: Any) -> tuple[int, ...]:
    """Return the dimensions of homology as a tuple. Raise InputError if they are not distinct integers of at least
    0.
    """
    values = tuple(dimensions) if isinstance(dimensions, list | tuple | range) else ()
    integers = all(isinstance(value, numbers.Integral) and int(value) >= 0 for value in values)
    if not values or not integers or len(set(values)) < len(values):
        raise InputError(f"dimensions={dimensions!r} must be distinct integers of at least 0, such as (0, 1).")
    return tuple(int(value) for value in values)
