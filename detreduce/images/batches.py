"""Images read ahead by threads, in batches of one shape and in bounded memory."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import cv2

from detreduce.errors import ImageReadError
from detreduce.images.decode import RGB, Preprocess, decode_framed
from detreduce.images.frame import WHOLE, Frame
from detreduce.machine.hashes import Digest, content_digest
from detreduce.machine.processors import processors

Known = Callable[[int, Digest], bool]
"""Whether all that is wanted of a row is there already, now that its image's digest is known."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One image read: its digest, its pixels unless they are not needed, or why it could not be read.

    `frame`: where the picture lies in `image`, the network's input.
    """

    row: int
    status: os.stat_result | None = None
    read_at_ns: int = 0
    digest: Digest = b""
    image: RGB | None = None
    frame: Frame = WHOLE
    error: str = ""


def prepare(row: int, path: Path, preprocess: Preprocess, known: Known) -> Prepared:
    """Read a file once: digest its bytes, and decode and resize them unless the digest is known."""
    try:
        read_at_ns = time.time_ns()
        status = path.stat()
        data = path.read_bytes()
    except OSError as error:
        return Prepared(row, error=error.strerror or str(error))
    digest = content_digest(data)
    if known(row, digest):
        return Prepared(row, status, read_at_ns, digest)
    size = preprocess.imgsz
    try:
        image, frame = decode_framed(data, longest=size, shortest=size if preprocess.shape == "stretch" else None)
        frame = frame.inside(preprocess.frame(*image.shape[:2]))
        return Prepared(row, status, read_at_ns, digest, preprocess(image), frame)
    except (ImageReadError, cv2.error, MemoryError) as error:
        return Prepared(row, status, read_at_ns, digest, error=str(error))


@dataclass(frozen=True)
class Threads:
    """Where the work is done.

    On a CPU, `decode` and `forward` are one pool, whose threads decode an image or run a batch, each with few threads
    of torch's own: no core waits for another at the end of each layer, also when other programs use the machine. On
    other devices one thread feeds the network beside those that decode.
    """

    decode: ThreadPoolExecutor
    forward: ThreadPoolExecutor
    count: int


@contextmanager
def threads(device_type: str, workers: int | None = None) -> Iterator[Threads]:
    """Start the threads for a run and set torch's and OpenCV's own back as they were afterwards."""
    import torch

    cores = processors()
    on_cpu = device_type == "cpu"
    count = workers or min(8 if on_cpu else 16, cores)
    before = torch.get_num_threads(), cv2.getNumThreads()
    each = max(1, before[0] // count)
    pool = ThreadPoolExecutor(count, "detreduce", initializer=torch.set_num_threads, initargs=(each,))
    single = pool if on_cpu else ThreadPoolExecutor(1, "detreduce-forward")
    try:
        # the calling thread builds and probes networks: it too must not wait for cores that are busy
        torch.set_num_threads(each)
        cv2.setNumThreads(1)
        yield Threads(pool, single, count)
    finally:
        for executor in (pool, single):
            executor.shutdown(wait=True, cancel_futures=True)
        # a pool thread's setting is also the default of threads started later
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def read_ahead(
    jobs: Iterable[tuple[int, Path]],
    preprocess: Preprocess,
    known: Known,
    pool: ThreadPoolExecutor,
    ahead: int,
) -> Iterator[Prepared]:
    """Yield the images in order; the pool is at most `ahead` images in front, so memory is bounded."""
    waiting: deque[Future[Prepared]] = deque()
    for row, path in jobs:
        waiting.append(pool.submit(prepare, row, path, preprocess, known))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Shaped(Protocol):
    @property
    def image(self) -> RGB | None: ...


_Item = TypeVar("_Item", bound=_Shaped)


def same_shape_batches(images: Iterable[_Item], batch: int) -> Iterator[list[_Item]]:
    """Group items by the shape of their image into batches; what waits for company never exceeds four batches."""
    waiting: dict[tuple[int, ...], list[_Item]] = {}
    for item in images:
        assert item.image is not None
        group = waiting.setdefault(item.image.shape, [])
        group.append(item)
        if len(group) == batch:
            yield waiting.pop(item.image.shape)
        elif sum(map(len, waiting.values())) >= 4 * batch:
            yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
    # the largest first, so that the threads come to an end together
    yield from sorted(waiting.values(), key=len, reverse=True)
