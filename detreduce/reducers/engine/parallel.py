"""Work on blocks in one thread a processor: NumPy, BLAS and GUDHI work outside Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

from detreduce.machine.processors import processors

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield `work(item)` of each item, in their order, a few ahead of the one that was asked for.

    BLAS has one thread the while: threads of its own, on blocks that fit a cache, mostly wait for each other, and on a
    busy machine for long. Results do not depend on the number of processors. Ctrl-C ends it after the running blocks.
    """
    if len(items) <= 1:
        # threads take milliseconds to start
        yield from map(work, items)
        return
    count = processors()
    running: deque[Future[Result]] = deque()
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as executor:
        try:
            for item in items:
                running.append(executor.submit(work, item))
                if len(running) > 2 * count:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def slices(length: int, size: int) -> list[slice]:
    """Return slices of `size` that cover `length` rows; the last may be shorter."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
