"""Threads that work on blocks of data, one thread for each processor. NumPy, BLAS and GUDHI release Python's lock."""

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
    """Yield `work(item)` for each item, in order. A few results are computed ahead.

    Meanwhile BLAS uses one thread. With blocks that fit into the cache, the threads of BLAS would mostly wait for each
    other. The results do not depend on the number of processors. Ctrl-C stops the work after the blocks that are
    running.
    """
    if len(items) <= 1:
        # starting threads takes milliseconds
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
    """Return slices of `size` rows that together cover `length` rows. The last slice may be shorter."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
