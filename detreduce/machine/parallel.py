"""Process blocks of data in threads, one per processor. NumPy, BLAS and GUDHI release Python's lock while they work."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from detreduce.machine.processors import processors

Item = TypeVar("Item")
Result = TypeVar("Result")

PART = 2**26
"""Number of multiplications in one part of a large matrix product. They take a few milliseconds on one core."""


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order. A few results are computed in advance in other threads.

    Meanwhile, BLAS uses a single thread. If the blocks fit into the cache, several BLAS threads would mostly wait for
    each other. The results do not depend on the number of processors. Ctrl-C stops the work after the blocks that are
    already running.
    """
    if isinstance(items, Sequence) and len(items) <= 1:
        # starting threads would take milliseconds
        yield from map(work, items)
        return
    count = processors()
    running: deque[Future[Result]] = deque()
    with one_blas_thread(), ThreadPoolExecutor(count) as executor:
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


Mapper = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""A function like `in_threads`: it calls a function with each item, and yields the results in order."""
_MAPPER: ContextVar[Mapper] = ContextVar("mapper", default=in_threads)


@contextmanager
def parts_mapped_by(mapper: Mapper) -> Iterator[None]:
    """Use `mapper` for the large parts of work inside the block, for example to send them to other machines."""
    token = _MAPPER.set(mapper)
    try:
        yield
    finally:
        _MAPPER.reset(token)


def map_parts(work: Callable[[Item], Result], parts: Iterable[Item]) -> Iterable[Result]:
    """Yield `work(part)` for each of the large parts of some work, in order. By default, threads do the work.

    `work` and the parts must be picklable, because the work may be done in other processes (see `parts_mapped_by`).
    """
    return _MAPPER.get()(work, parts)


def slices(length: int, size: int) -> list[slice]:
    """Divide `length` rows into slices of `size` rows. The last slice may be shorter."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS uses one thread. With several threads, BLAS would round in another order."""
    limits: AbstractContextManager[object] = _thread_pools(len(sys.modules)).limit(limits=1, user_api="blas")
    return limits


@lru_cache(1)
def _thread_pools(modules: int) -> ThreadpoolController:
    """Return the thread pools of all loaded libraries. The result is cached, because the search takes 10 ms."""
    return ThreadpoolController()


def product(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[Any]:
    """Return the (m, n) product ``a @ b.T`` of an (m, d) and an (n, d) matrix. Large products are computed in threads.

    The product is divided into parts. The sizes of the parts depend only on the shapes of the matrices. Therefore,
    inside a block of `one_blas_thread`, the result does not depend on the number of processors.
    """
    m, n, each = len(a), len(b), min(len(a), len(b)) * a.shape[1]
    parts = slices(max(m, n), max(256, PART // max(1, each)))
    if len(parts) <= 1:
        return a @ b.T
    result = np.empty((m, n), np.result_type(a, b))

    def work(part: slice) -> None:
        """Compute one part of the product."""
        if m >= n:
            np.matmul(a[part], b.T, out=result[part])
        else:
            np.matmul(a, b[part].T, out=result[:, part])

    deque(in_threads(work, parts), maxlen=0)
    return result
