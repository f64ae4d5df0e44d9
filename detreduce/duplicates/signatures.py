"""What an image is compared by: a digest of its pixels and a small grey picture, made once and kept on disk."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.errors import ImageReadError
from detreduce.images.decode import RGB, decode
from detreduce.images.store import DigestMemo, VectorStore, warn_unwritable
from detreduce.machine.hashes import Digest, content_digest
from detreduce.machine.processors import processors

SIDE = 64
"""Side of the grey picture, in pixels."""

BLACK = 16
"""Rows and columns at the border in which no pixel is brighter are bars, as letterboxing leaves them."""

_DIGEST_BYTES = 32
_SIZE_BYTES = 8
_BYTES = _DIGEST_BYTES + _SIZE_BYTES + SIDE * SIDE
_KEY = {
    "backbone": "duplicates",
    "signature": f"SHA-256 of the RGB pixels, size, grey {SIDE} x {SIDE}, area-averaged, black bars <= {BLACK} cut off",
}

Bytes = npt.NDArray[np.uint8]
Region = tuple[float, float, float, float]


@dataclass(frozen=True)
class Signatures:
    """The signatures of n images.

    Attributes
    ----------
    pixels
        (n, 64, 64) uint8: the whole picture squeezed into a grey square, black bars cut off.
    digests
        SHA-256 of each image's decoded pixels and shape, EXIF rotation applied; empty where it could not be read.
    sizes
        (n, 2) int64: width and height in pixels as decoded; 0 where it could not be read.
    failures
        Place -> why, for the images that could not be read.
    from_cache
        How many were read back from disk.
    """

    pixels: Bytes
    digests: tuple[Digest, ...]
    sizes: npt.NDArray[np.int64]
    failures: dict[int, str]
    from_cache: int = 0

    def __len__(self) -> int:
        return len(self.digests)


def sign(image: RGB) -> Bytes:
    """(4136,) uint8, the record of a decoded image: 32 bytes of digest, width and height as uint32, the grey picture.

    The sizes are little-endian; the digest is of the size and all pixels.
    """
    height, width = image.shape[:2]
    digest = hashlib.sha256(f"{width} {height} ".encode())
    digest.update(np.ascontiguousarray(image).data)
    head = digest.digest() + width.to_bytes(4, "little") + height.to_bytes(4, "little")
    return np.concatenate([np.frombuffer(head, np.uint8), small_grey(image).ravel()])


def cut_out(image: RGB, region: Region) -> RGB:
    """The part of an image inside x1, y1, x2, y2, given as fractions and clipped to the image; one pixel at least."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = np.clip(region, 0.0, 1.0) * np.array([width, height, width, height])
    left, top = min(int(x1), width - 1), min(int(y1), height - 1)
    return image[top : max(top + 1, math.ceil(y2)), left : max(left + 1, math.ceil(x2))]


def available_cores() -> int:
    """Cores that this process may use, at most 16."""
    return min(16, processors())


def small_grey(image: RGB) -> Bytes:
    """(64, 64) uint8: an (h, w, 3) image in grey, without black bars, squeezed into a square."""
    grey = _without_bars(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)))
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def _without_bars(grey: Bytes) -> Bytes:
    rows = np.flatnonzero(grey.max(axis=1) > BLACK)
    if not len(rows):
        return grey
    columns = np.flatnonzero(grey.max(axis=0) > BLACK)
    return np.ascontiguousarray(grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def together(parts: Sequence[Signatures]) -> Signatures:
    """The signatures of several lists of images, one after another."""
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    failures = {
        place + start: why for start, part in zip(starts, parts, strict=False) for place, why in part.failures.items()
    }
    return Signatures(
        np.concatenate([part.pixels for part in parts]),
        tuple(digest for part in parts for digest in part.digests),
        np.concatenate([part.sizes for part in parts]),
        failures,
        sum(part.from_cache for part in parts),
    )


class SignatureStore(VectorStore):
    """Signatures on disk, by the digest of the image file's bytes."""

    dtype = np.dtype(np.uint8)


def signature_folder(folder: Path) -> Path:
    """Where in a cache `folder` the signatures are kept."""
    return SignatureStore(folder, _KEY).folder


def read_signatures(
    paths: Sequence[Path], folder: Path, workers: int | None = None, regions: Sequence[Region | None] | None = None
) -> Signatures:
    """Read the signatures of image files, from the cache `folder` where they are known; files are never written.

    One decode an image, on all cores; what is done is kept every so often, and when interrupted. A second run reads
    the images again only where they changed. With `regions` the signatures are of that part of each image alone (see
    `cut_out`); None is an image of which no part is looked at, and which has no digest.
    """
    job = _Job([path.absolute() for path in paths], regions, SignatureStore(folder, _KEY), DigestMemo(folder))
    job.run(workers or available_cores())
    records = job.records
    sizes = np.ascontiguousarray(records[:, _DIGEST_BYTES : _DIGEST_BYTES + _SIZE_BYTES]).view("<u4").astype(np.int64)
    digests = tuple(
        b"" if place in job.failures or place in job.empty else records[place, :_DIGEST_BYTES].tobytes()
        for place in range(len(records))
    )
    pixels = records[:, _DIGEST_BYTES + _SIZE_BYTES :].reshape(-1, SIDE, SIDE)
    return Signatures(pixels, digests, sizes, job.failures, job.recalled)


@dataclass(frozen=True, slots=True)
class _Read:
    """One image file read: the record unless it is not needed, or why it could not be read."""

    place: int
    status: os.stat_result | None = None
    read_at_ns: int = 0
    digest: Digest = b""
    record: Bytes | None = None
    error: str = ""


class _Job:
    """The records of one call, and what is known of each so far."""

    def __init__(
        self, paths: list[Path], regions: Sequence[Region | None] | None, store: SignatureStore, memo: DigestMemo
    ) -> None:
        self.paths, self.regions, self.store, self.memo = paths, regions, store, memo
        self.empty = {place for place, region in enumerate(regions or ()) if region is None}
        self.records = np.zeros((len(paths), _BYTES), np.uint8)
        self.filled = np.zeros(len(paths), bool)
        self.filled[list(self.empty)] = True
        self.failures: dict[int, str] = {}
        self.recalled = 0
        remembered = ((place, memo.get(path)) for place, path in enumerate(paths) if not self.filled[place])
        self.keys = {place: self._key(place, digest) for place, digest in remembered if digest is not None}

    def run(self, workers: int) -> None:
        try:
            self._recall(range(len(self.paths)))
            self._recall(self._read_all(workers, self.store.__contains__))
            # what the store promised and could not give
            self._read_all(workers, lambda key: False)
        finally:
            self.store.flush()
            try:
                self.memo.flush()
            except OSError as error:
                if self.store.writable:
                    warn_unwritable(self.store.folder, error)

    def _key(self, place: int, digest: Digest) -> Digest:
        """What the store knows a record by: the file's content, and the part of it that is looked at."""
        if self.regions is None:
            return digest
        return content_digest(digest + np.asarray(self.regions[place], "<f8").tobytes())

    def _recall(self, places: Iterable[int]) -> None:
        places_of: dict[Digest, list[int]] = {}
        for place in places:
            if place in self.keys:
                places_of.setdefault(self.keys[place], []).append(place)
        for key, record in self.store.read(places_of):
            if len(record) == _BYTES:
                self.records[places_of[key]] = record
                self.filled[places_of[key]] = True
                self.recalled += len(places_of[key])

    def _read_all(self, workers: int, known: Callable[[Digest], bool]) -> list[int]:
        """Decode what is open; returns the places that were not, since their record is `known`."""
        places = [int(place) for place in np.flatnonzero(~self.filled) if int(place) not in self.failures]
        skipped: list[int] = []
        if not places:
            return skipped
        threads = cv2.getNumThreads()
        with ThreadPoolExecutor(workers) as pool, progress("Reading images", len(places), "images") as advance:
            try:
                cv2.setNumThreads(1)
                for found in _ahead(pool, lambda place: self._read(place, known), places, 4 * workers):
                    if self._take(found):
                        skipped.append(found.place)
                    advance()
            finally:
                cv2.setNumThreads(threads)
                pool.shutdown(wait=True, cancel_futures=True)
        return skipped

    def _read(self, place: int, known: Callable[[Digest], bool]) -> _Read:
        path = self.paths[place]
        try:
            read_at_ns = time.time_ns()
            status = path.stat()
            data = path.read_bytes()
        except OSError as error:
            return _Read(place, error=error.strerror or str(error))
        digest = content_digest(data)
        if known(self._key(place, digest)):
            return _Read(place, status, read_at_ns, digest)
        try:
            image = decode(data)
            region = self.regions[place] if self.regions is not None else None
            record = sign(image if region is None else cut_out(image, region))
            return _Read(place, status, read_at_ns, digest, record)
        except (ImageReadError, cv2.error, MemoryError) as error:
            return _Read(place, status, read_at_ns, digest, error=str(error))

    def _take(self, found: _Read) -> bool:
        """Keep what was read; returns whether it was not decoded, its record being known."""
        if found.status is not None:
            self.keys[found.place] = self._key(found.place, found.digest)
            self.memo.put(self.paths[found.place], found.status, found.read_at_ns, found.digest)
        if found.error:
            self.failures[found.place] = found.error
        elif found.record is not None:
            self.records[found.place], self.filled[found.place] = found.record, True
            self.store.add(self.keys[found.place], found.record)
        return not found.error and found.record is None


def _ahead(pool: Executor, work: Callable[[int], _Read], places: Iterable[int], most: int) -> Iterator[_Read]:
    """Yield the results in order; the pool is at most `most` in front, so memory is bounded."""
    waiting: deque[Future[_Read]] = deque()
    for place in places:
        waiting.append(pool.submit(work, place))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
