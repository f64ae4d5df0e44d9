"""Read images ahead in threads, and group them into batches of the same shape. The memory is limited."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import cv2

from detreduce.errors import ImageReadError
from detreduce.images.decode import RGB, Preprocess, decode_framed
from detreduce.images.frame import Frame
from detreduce.machine.hashes import Digest, content_digest
from detreduce.machine.processors import processors
from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.regular_files import IMAGES, read_regular

T = TypeVar("T")
R = TypeVar("R")

Known = Callable[[int, Digest], bool]
"""A function that gets a row and the digest of its image file.

It returns whether all vectors of the image are stored.
"""


@dataclass(frozen=True, slots=True)
class ReadImage(Generic[T]):
    """The result of reading one image file.

    Attributes
    ----------
    row
        Index of the image in the list of images.
    status
        The status of the file, taken before the file was read. None if the file cannot be read.
    read_at_ns
        The time at which the status was taken, in nanoseconds. 0 if the file cannot be read.
    digest
        The digest of the file's bytes. Empty if the file cannot be read.
    content
        The result of `prepare`. None if all vectors of the image are already stored, or if the image cannot be decoded.
    error
        Why the file cannot be read or decoded. Empty if there was no error.
    suspect
        Whether this image may be damaged, although it was decoded. It is True if a decoder printed a message about
        damage meanwhile.
    """

    row: int
    status: os.stat_result | None = None
    read_at_ns: int = 0
    digest: Digest = b""
    content: T | None = None
    error: str = ""
    suspect: bool = False


def read_image(row: int, path: Path, prepare: Callable[[int, bytes], T], known: Known) -> ReadImage[T]:
    """Read a file once and compute the digest of its bytes.

    If the image is not `known`, also call `prepare` with the row and the bytes.
    """
    try:
        read_at_ns = time.time_ns()
        status = path.stat()
        data = read_regular(path, IMAGES)
    except OSError as error:
        return ReadImage(row, error=error.strerror or str(error))
    digest = content_digest(data)
    if known(row, digest):
        return ReadImage(row, status, read_at_ns, digest)
    try:
        with quiet_decoders() as suspicion:
            content = prepare(row, data)
            return ReadImage(row, status, read_at_ns, digest, content, suspect=suspicion())
    except (ImageReadError, cv2.error, MemoryError) as error:
        return ReadImage(row, status, read_at_ns, digest, error=str(error))


def read_ahead(
    rows: Iterable[int], read: Callable[[int], ReadImage[T]], pool: Executor, ahead: int
) -> Iterator[ReadImage[T]]:
    """Yield the images in the order of `rows`, while the threads of `pool` read the next images.

    At most `ahead` images are read in advance, to limit the memory.
    """
    waiting: deque[Future[ReadImage[T]]] = deque()
    for row in rows:
        waiting.append(pool.submit(read, row))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """An image that has the size of a network's input.

    Attributes
    ----------
    image
        (h, w, 3) uint8 RGB, including the padding.
    frame
        Where the picture is inside `image`.
    """

    image: RGB
    frame: Frame


def network_input(data: bytes | RGB, preprocess: Preprocess) -> NetworkInput:
    """Decode the bytes of an image file and resize the image for a network.

    If `data` is an array, for instance a frame of a video, it is only resized. Raise the same ImageReadError as
    `decode`.
    """
    size = preprocess.imgsz
    image, frame = decode_framed(data, longest=size, shortest=size if preprocess.shape == "stretch" else None)
    return NetworkInput(preprocess(image), frame.inside(preprocess.frame(*image.shape[:2])))


Group = list[tuple[int, NetworkInput]]
"""A group of images that have the same shape, each with its row in the dataset."""


def same_shape_batches(images: Iterable[tuple[int, NetworkInput]], batch: int) -> Iterator[Group]:
    """Group (row, image) pairs into batches of images with the same shape.

    At most ``4 * batch`` images wait until their batch is full; if there are more, an incomplete batch is yielded.
    """
    waiting: dict[tuple[int, ...], list[tuple[int, NetworkInput]]] = {}
    for row, item in images:
        group = waiting.setdefault(item.image.shape, [])
        group.append((row, item))
        if len(group) == batch:
            yield waiting.pop(item.image.shape)
        elif sum(map(len, waiting.values())) >= 4 * batch:
            yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
    # yield the largest batches first, so that all threads finish at about the same time
    yield from sorted(waiting.values(), key=len, reverse=True)


def computed_ahead(
    groups: Iterable[Group], compute: Callable[[Group], R], pool: Executor, in_flight: int
) -> Iterator[tuple[Group, R]]:
    """Yield each group with the result of `compute`, in order. At most `in_flight` groups are computed at the same
    time.
    """
    waiting: deque[tuple[Group, Future[R]]] = deque()
    for group in groups:
        waiting.append((group, pool.submit(compute, group)))
        if len(waiting) >= in_flight:
            done, future = waiting.popleft()
            yield done, future.result()
    for done, future in waiting:
        yield done, future.result()


@contextmanager
def decoding_threads(
    count: int, name: str = "detreduce", prepare_thread: Callable[[], object] | None = None
) -> Iterator[ThreadPoolExecutor]:
    """Start a pool of threads. As long as the pool exists, OpenCV does not start threads of its own."""
    before = cv2.getNumThreads()
    pool = ThreadPoolExecutor(count, name, initializer=prepare_thread)
    try:
        cv2.setNumThreads(1)
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        cv2.setNumThreads(before)


@dataclass(frozen=True)
class Threads:
    """The threads that decode images and run the network.

    On a CPU, `decode` and `forward` are the same pool, and each of its threads both decodes images and runs the
    network. Torch uses only one thread inside each of them. Therefore, results do not depend on the number of cores,
    and no core waits for another at the end of each layer. On other devices, one thread runs the network while the
    others decode.

    `count` is the number of threads that decode.
    """

    decode: ThreadPoolExecutor
    forward: ThreadPoolExecutor
    count: int


@contextmanager
def threads(device_type: str, workers: int | None = None) -> Iterator[Threads]:
    """Start the threads for a run. When the block ends, restore the thread counts of torch and OpenCV."""
    import torch

    on_cpu = device_type == "cpu"
    count = workers or min(16, processors())
    before = torch.get_num_threads()
    with decoding_threads(count, prepare_thread=partial(torch.set_num_threads, 1)) as pool:
        single = pool if on_cpu else ThreadPoolExecutor(1, "detreduce-forward")
        try:
            # the calling thread also computes, so torch must use one thread there too
            torch.set_num_threads(1)
            yield Threads(pool, single, count)
        finally:
            for executor in (pool, single):
                executor.shutdown(wait=True, cancel_futures=True)
            # the last value that any thread sets becomes the default of threads that start later
            torch.set_num_threads(before)
