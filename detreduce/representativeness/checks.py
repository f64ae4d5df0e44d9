"""What the measures accept beside arrays."""

from __future__ import annotations

import numbers
from typing import Any

from detreduce.errors import InputError, nearest

METRICS = ("bottleneck", "wasserstein")


def check_count(value: Any, name: str, *, or_none: bool = False) -> None:
    """Raise InputError for anything but an integer from 1 on, or None where that is allowed."""
    if value is None and or_none:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise InputError(f"{name}={value!r} is not a count from 1 on{', nor None for all' if or_none else ''}.")


def check_metric(metric: Any) -> None:
    """Raise InputError for an unknown distance between diagrams."""
    if metric not in METRICS:
        raise InputError(f"metric={metric!r} is not one of {', '.join(METRICS)}.{nearest(str(metric), METRICS)}")


def check_sigma(sigma: Any) -> None:
    """Raise InputError for a kernel width that is neither ``auto`` nor a number above 0."""
    number = isinstance(sigma, numbers.Real) and not isinstance(sigma, bool)
    if sigma != "auto" and not (number and 0 < float(sigma) < float("inf")):
        raise InputError(f"sigma={sigma!r} is neither 'auto' nor a width above 0.")


def check_dimensions(dimensions: Any) -> tuple[int, ...]:
    """Return dimensions of homology as a tuple; InputError for anything but different integers from 0 on."""
    found = tuple(dimensions) if isinstance(dimensions, list | tuple | range) else ()
    if not found or len(set(found)) < len(found) or any(not isinstance(d, numbers.Integral) or d < 0 for d in found):
        raise InputError(f"dimensions={dimensions!r} are not different dimensions of homology, such as (0, 1).")
    return tuple(int(dim) for dim in found)
