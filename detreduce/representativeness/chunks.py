"""Work on stretches of rows, shared out among threads."""

from __future__ import annotations

from collections.abc import Callable

from detreduce.reducers.engine.parallel import in_threads, slices


def each_chunk(
    work: Callable[[slice], object], count: int, size: int, advance: Callable[[int], object] = lambda _: None
) -> None:
    """Call `work` with the stretches of 0..count of at most `size`; `advance` is called with the rows done, in order.

    NumPy works outside Python's lock, and many small matrix products on one thread each beat BLAS on all of them.
    """
    parts = slices(count, size)
    for part, _ in zip(parts, in_threads(work, parts), strict=True):
        advance(part.stop - part.start)
