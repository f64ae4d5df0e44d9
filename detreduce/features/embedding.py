"""Images through a backbone: threads read and decode while the network works, in bounded memory."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.errors import ImageReadError
from detreduce.features.images import RGB, Preprocess, decode
from detreduce.features.store import Digest, content_digest

if TYPE_CHECKING:
    from detreduce.features.backbones import Network


def default_workers() -> int:
    """Threads for reading and decoding: one a core that this process may use, at most 16."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, cores)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One image read: its digest, its pixels unless they are not needed, or why it could not be read."""

    row: int
    status: os.stat_result | None = None
    read_at_ns: int = 0
    digest: Digest = b""
    image: RGB | None = None
    error: str = ""


def prepare(row: int, path: Path, preprocess: Preprocess, known: Callable[[Digest], bool]) -> Prepared:
    """Read a file once: digest its bytes, and decode and resize them unless the digest is known."""
    try:
        read_at_ns = time.time_ns()
        status = path.stat()
        data = path.read_bytes()
    except OSError as error:
        return Prepared(row, error=error.strerror or str(error))
    digest = content_digest(data)
    if known(digest):
        return Prepared(row, status, read_at_ns, digest)
    size = preprocess.imgsz
    try:
        image = decode(data, longest=size, shortest=size if preprocess.shape == "stretch" else None)
        return Prepared(row, status, read_at_ns, digest, preprocess(image))
    except (ImageReadError, cv2.error, MemoryError) as error:
        return Prepared(row, status, read_at_ns, digest, error=str(error))


def read_ahead(
    jobs: Iterable[tuple[int, Path]],
    preprocess: Preprocess,
    known: Callable[[Digest], bool],
    *,
    workers: int,
    ahead: int,
) -> Iterator[Prepared]:
    """Yield the images in order; `workers` threads stay at most `ahead` images in front, so memory is bounded."""
    waiting: deque[Future[Prepared]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="detreduce-decode")
    try:
        for row, path in jobs:
            waiting.append(pool.submit(prepare, row, path, preprocess, known))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def same_shape_batches(images: Iterable[Prepared], batch: int) -> Iterator[list[Prepared]]:
    """Group images of one shape into batches; what waits for company never exceeds four batches."""
    waiting: dict[tuple[int, ...], list[Prepared]] = {}
    for item in images:
        assert item.image is not None
        group = waiting.setdefault(item.image.shape, [])
        group.append(item)
        if len(group) == batch:
            yield waiting.pop(item.image.shape)
        elif sum(map(len, waiting.values())) >= 4 * batch:
            yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
    yield from waiting.values()


def embed_batch(network: Network, images: list[RGB]) -> npt.NDArray[np.float32]:
    """(b, c) float32: the pooled feature map of b images of one shape."""
    import torch

    batch = torch.from_numpy(np.stack(images))
    return network.pool(network.feature_map(batch)).cpu().numpy()
