"""What an image is compared by: a digest of its pixels and a small grey picture, made once and kept on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.features.embedding import read_ahead
from detreduce.features.images import RGB, Preprocess
from detreduce.features.store import Digest, DigestMemo, VectorStore, warn_unwritable
from detreduce.progress import progress

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


@dataclass(frozen=True)
class Signer(Preprocess):
    """Makes the record that the store keeps of a decoded image; stands where a network's preprocessing does."""

    # no JPEG is decoded at less than its full size: the digest is of all pixels
    imgsz: int = 1 << 30
    shape: Literal["letterbox"] = "letterbox"

    def __call__(self, image: RGB) -> Bytes:
        """(4136,) uint8: 32 bytes of digest, width and height as little-endian uint32, the grey picture."""
        height, width = image.shape[:2]
        digest = hashlib.sha256(f"{width} {height} ".encode())
        digest.update(np.ascontiguousarray(image).data)
        head = digest.digest() + width.to_bytes(4, "little") + height.to_bytes(4, "little")
        return np.concatenate([np.frombuffer(head, np.uint8), small_grey(image).ravel()])


def available_cores() -> int:
    """Cores that this process may use, at most 16."""
    return min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


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


class SignatureStore(VectorStore):
    """Signatures on disk, by the digest of the image file's bytes."""

    dtype = np.dtype(np.uint8)


def read_signatures(paths: Sequence[Path], folder: Path, workers: int | None = None) -> Signatures:
    """Read the signatures of image files, from the cache `folder` where they are known; files are never written.

    One decode an image, on all cores; what is done is kept every so often, and when interrupted. A second run reads
    the images again only where they changed.
    """
    job = _Job([path.absolute() for path in paths], SignatureStore(folder, _KEY), DigestMemo(folder))
    job.run(workers or available_cores())
    records = job.records
    sizes = np.ascontiguousarray(records[:, _DIGEST_BYTES : _DIGEST_BYTES + _SIZE_BYTES]).view("<u4").astype(np.int64)
    digests = tuple(
        b"" if place in job.failures else records[place, :_DIGEST_BYTES].tobytes() for place in range(len(records))
    )
    pixels = records[:, _DIGEST_BYTES + _SIZE_BYTES :].reshape(-1, SIDE, SIDE)
    return Signatures(pixels, digests, sizes, job.failures, job.recalled)


class _Job:
    """The records of one call, and what is known of each so far."""

    def __init__(self, paths: list[Path], store: SignatureStore, memo: DigestMemo) -> None:
        self.paths, self.store, self.memo = paths, store, memo
        self.records = np.zeros((len(paths), _BYTES), np.uint8)
        self.filled = np.zeros(len(paths), bool)
        self.failures: dict[int, str] = {}
        self.recalled = 0
        remembered = ((place, memo.get(path)) for place, path in enumerate(paths))
        self.digests = {place: digest for place, digest in remembered if digest is not None}

    def run(self, workers: int) -> None:
        try:
            self._recall(range(len(self.paths)))
            self._recall(self._read(workers, known=True))
            # what the store promised and could not give
            self._read(workers, known=False)
        finally:
            self.store.flush()
            try:
                self.memo.flush()
            except OSError as error:
                if self.store.writable:
                    warn_unwritable(self.store.folder, error)

    def _recall(self, places: Iterable[int]) -> None:
        places_of: dict[Digest, list[int]] = {}
        for place in places:
            if place in self.digests:
                places_of.setdefault(self.digests[place], []).append(place)
        for digest, record in self.store.read(places_of):
            if len(record) == _BYTES:
                self.records[places_of[digest]] = record
                self.filled[places_of[digest]] = True
                self.recalled += len(places_of[digest])

    def _read(self, workers: int, known: bool) -> list[int]:
        """Decode what is open; returns the places that were not, since the store knows their content."""
        places = [int(place) for place in np.flatnonzero(~self.filled) if int(place) not in self.failures]
        skipped: list[int] = []
        if not places:
            return skipped

        def is_known(place: int, digest: Digest) -> bool:
            return known and digest in self.store

        threads = cv2.getNumThreads()
        with ThreadPoolExecutor(workers) as pool, progress("Reading images", len(places), "images") as advance:
            try:
                cv2.setNumThreads(1)
                jobs = ((place, self.paths[place]) for place in places)
                for item in read_ahead(jobs, Signer(), is_known, pool, ahead=4 * workers):
                    if item.status is not None:
                        self.digests[item.row] = item.digest
                        self.memo.put(self.paths[item.row], item.status, item.read_at_ns, item.digest)
                    if item.error:
                        self.failures[item.row] = item.error
                    elif item.image is None:
                        skipped.append(item.row)
                    else:
                        self.records[item.row], self.filled[item.row] = item.image, True
                        self.store.add(item.digest, item.image)
                    advance()
            finally:
                cv2.setNumThreads(threads)
                pool.shutdown(wait=True, cancel_futures=True)
        return skipped
