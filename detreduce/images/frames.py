"""Read frames of videos ahead. One thread decodes each video once from its start; other threads prepare the frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from detreduce.errors import ImageReadError
from detreduce.images.batches import Known, ReadImage, T
from detreduce.images.decode import RGB
from detreduce.images.store import DigestMemo, frame_digest
from detreduce.machine.hashes import Digest
from detreduce.videos.paths import video_of
from detreduce.videos.reader import MISSING, VideoReader


@dataclass(frozen=True)
class WantedFrames:
    """The frames of videos in a list of images.

    Attributes
    ----------
    numbers
        For each video, pairs (number of the frame in the video, row of the frame's image), sorted by the number.
    digests
        The digest of each frame, keyed by its row. Frames of a video that cannot be read have no digest.
    errors
        The reason why a video cannot be read, keyed by the video.
    """

    numbers: Mapping[Path, Sequence[tuple[int, int]]] = field(default_factory=dict)
    digests: dict[int, Digest] = field(default_factory=dict)
    errors: Mapping[Path, str] = field(default_factory=dict)

    @classmethod
    def among(cls, paths: Sequence[Path], memo: DigestMemo) -> WantedFrames:
        """Return the frames among `paths`.

        Each video is read once for its digest, unless `memo` remembers the digest.
        """
        numbers: dict[Path, list[tuple[int, int]]] = {}
        for row, path in enumerate(paths):
            if (frame := video_of(path)) is not None:
                numbers.setdefault(frame[0], []).append((frame[1], row))
        digests: dict[int, Digest] = {}
        errors: dict[Path, str] = {}
        for video, wanted in numbers.items():
            wanted.sort()
            try:
                whole = memo.read(video)
            except OSError as error:
                errors[video] = error.strerror or str(error)
                continue
            digests |= {row: frame_digest(whole, number) for number, row in wanted}
        return cls(numbers, digests, errors)

    @property
    def rows(self) -> set[int]:
        """The rows of all frames."""
        return {row for wanted in self.numbers.values() for _, row in wanted}


@dataclass(frozen=True)
class FramePreparation:
    """How frames are prepared: by which function, in which threads, and with how many frames in memory.

    Attributes
    ----------
    prepare
        A function that gets a row and RGB pixels, and returns the prepared frame. It runs in the threads of `pool`.
    pool
        The threads.
    decoded
        The maximum number of decoded frames that wait for a thread.
    ahead
        The maximum number of prepared frames that wait to be used.
    """

    prepare: Callable[[int, RGB], object]
    pool: Executor
    decoded: int
    ahead: int


def read_frames_ahead(
    frames: WantedFrames, rows: set[int], known: Known, preparation: FramePreparation
) -> Iterator[ReadImage[T]]:
    """Yield the frames in `rows`, video by video and in order. Frames that are `known` are not prepared."""
    room = threading.Semaphore(preparation.decoded)

    def prepare(row: int, image: RGB) -> ReadImage[T]:
        """Prepare a frame for the computation, or return the reason why this is not possible."""
        try:
            return ReadImage(row, content=preparation.prepare(row, image))  # type: ignore[arg-type]
        except (ImageReadError, cv2.error, MemoryError) as error:
            return ReadImage(row, error=str(error))
        finally:
            room.release()

    waiting: deque[ReadImage[T] | Future[ReadImage[T]]] = deque()
    decoded: Iterator[tuple[int, RGB | ReadImage[T]]] = _decode(frames, rows, known)
    for row, image in decoded:
        if isinstance(image, ReadImage):
            waiting.append(image)
        else:
            room.acquire()
            waiting.append(preparation.pool.submit(prepare, row, image))
        if len(waiting) > preparation.ahead:
            yield _result(waiting.popleft())
    while waiting:
        yield _result(waiting.popleft())


def _result(waiting: ReadImage[T] | Future[ReadImage[T]]) -> ReadImage[T]:
    return waiting if isinstance(waiting, ReadImage) else waiting.result()


def _decode(frames: WantedFrames, rows: set[int], known: Known) -> Iterator[tuple[int, RGB | ReadImage[T]]]:
    """Yield the row and the pixels of each frame.

    For a frame that is `known` or cannot be decoded, yield a `ReadImage` instead of the pixels.
    """
    for video, wanted in frames.numbers.items():
        opened = [(number, row) for number, row in wanted if row in rows]
        if video in frames.errors:
            yield from ((row, ReadImage(row, error=frames.errors[video])) for _, row in opened)
            continue
        unknown = {number: row for number, row in opened if not known(row, frames.digests[row])}
        yield from ((row, ReadImage(row)) for number, row in opened if number not in unknown)
        if not unknown:
            continue
        try:
            reader = VideoReader(video)
        except ImageReadError as error:
            yield from ((row, ReadImage(row, error=str(error))) for row in unknown.values())
            continue
        with closing(reader):
            for number, image in reader.frames(unknown):
                row = unknown[number]
                yield row, ReadImage(row, error=MISSING) if image is None else image
