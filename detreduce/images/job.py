"""Provide vectors for a list of images: read those that are stored, and compute and store the rest."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from detreduce.dataset.health.jpeg import confirmed_damage
from detreduce.display.progress import progress
from detreduce.errors import DetreduceError, DetreduceWarning, ImageReadError, name_first
from detreduce.images.batches import Known, ReadImage, T, read_ahead, read_image
from detreduce.images.decode import RGB
from detreduce.images.frames import FramePreparation, WantedFrames, read_frames_ahead
from detreduce.images.store import DigestMemo, VectorStore, warn_unwritable
from detreduce.machine.hashes import Digest
from detreduce.machine.large_arrays import new_array

Array = npt.NDArray[Any]
MEMO_SECONDS = 30.0
FRAMES_DECODED = 8
"""The maximum number of decoded frames in memory. A frame of a 4K video takes 25 MB."""


class ImageVectors:
    """The vectors of n images, in the order of the images. They are read from a store or added after they were
    computed.

    An image can have several vectors, for example one per class.

    Parameters
    ----------
    store
        The store from which the vectors are read and to which computed vectors are written.
    starts
        (n + 1,) int64: index of each image's first vector. The last entry is the number of vectors. If each image has
        exactly one vector, this is 0, 1, ..., n.
    key
        A function that gets the index of a vector and the digest of its image, and returns the vector's key in the
        store. By default, the key is the digest.

    Attributes
    ----------
    filled
        One bool per vector: whether it has been read or computed. A caller can set it to True for vectors that are not
        needed.
    recalled
        Number of vectors that were read from the store.
    computed
        Number of vectors that were computed.
    """

    def __init__(
        self, store: VectorStore, starts: npt.NDArray[np.int64], key: Callable[[int, Digest], Digest] | None = None
    ) -> None:
        self.store = store
        self.starts = starts
        self.key = key or (lambda number, digest: digest)
        self.filled = np.zeros(int(starts[-1]), bool)
        self.recalled = self.computed = 0
        self._values: Array | None = None
        self._first: dict[Digest, int] = {}

    @property
    def width(self) -> int:
        """Length of a vector, or 0 as long as no vector has been filled in."""
        return 0 if self._values is None else self._values.shape[1]

    def array(self, width: int = 0) -> Array:
        """Return all vectors. The values of a missing vector are NaN, or 0 if the store has an integer type.

        If all vectors are missing, they get the length `width`.
        """
        return self._empty(width) if self._values is None else self._values

    def _empty(self, width: int) -> Array:
        dtype = self.store.dtype
        values = new_array((len(self.filled), width), dtype)
        values[...] = np.nan if dtype.kind == "f" else 0
        return values

    def complete(self) -> npt.NDArray[np.bool_]:
        """Return for each image whether all of its vectors have been filled in, as (n,) bool."""
        missing = np.concatenate([[0], np.cumsum(~self.filled)])
        return np.asarray(missing[self.starts[1:]] == missing[self.starts[:-1]])

    def stored(self, row: int, digest: Digest) -> bool:
        """Return whether the store contains all vectors of an image."""
        return all(key in self.store for _, key in self._keys(row, digest))

    def recall(self, digests: dict[int, Digest]) -> None:
        """Fill in the vectors that the store contains. `digests` maps the row of an image to its digest."""
        numbers: dict[Digest, list[int]] = {}
        for row, digest in digests.items():
            for number, key in self._keys(row, digest):
                if not self.filled[number]:
                    numbers.setdefault(key, []).append(number)
        for key, vector in self.store.read(numbers):
            for number in numbers[key]:
                self._fill(number, vector)
                self.recalled += 1

    def add(self, row: int, digest: Digest, vectors: Array) -> None:
        """Fill in and store the (k, d) vectors that were computed for an image.

        A vector is skipped if the store already contains it. Several vectors can have the same key, for example because
        an image occurs twice. All of them get the value that was computed first.
        """
        for (number, key), vector in zip(self._keys(row, digest), vectors, strict=True):
            if self.filled[number] or key in self.store:
                continue
            first = self._first.setdefault(key, number)
            if first == number or self._values is None:
                self.store.add(key, vector)
            else:
                vector = self._values[first]
            self._fill(number, vector)
            self.computed += 1

    def _keys(self, row: int, digest: Digest) -> Iterator[tuple[int, Digest]]:
        """Yield the index and the key of each vector of an image."""
        numbers = range(int(self.starts[row]), int(self.starts[row + 1]))
        return ((number, self.key(number, digest)) for number in numbers)

    def _fill(self, number: int, vector: Array) -> None:
        if self._values is None:
            self._values = self._empty(len(vector))
        self._values[number] = vector
        self.filled[number] = True


@dataclass
class ImageJob(Generic[T]):
    """A job that provides the vectors of a list of images. Stored vectors are read, and the rest is computed.

    Attributes
    ----------
    title
        Title of the progress bar.
    paths
        The image files. The row of an image is its position in this list.
    vectors
        One object for each kind of vector to fill in.
    memo
        The remembered digests of files, so that files that have not changed are not read again.
    prepare
        A function that gets a row and the bytes of its file, and returns the prepared image. For a frame of a video, it
        gets the RGB pixels instead of the bytes. It may raise ImageReadError, and runs in the threads that read.
    compute
        Function that receives an iterator of (row, prepared image) and yields (row, arrays), in any order. `arrays`
        contains one (k, d) array for each kind of vector.
    stop_at_failure
        Whether to raise ImageReadError at the first image that cannot be read.
    batch
        The vectors are written to disk whenever this number of images has been computed. If the process is killed, the
        work for at most this number of images is lost.
    failures
        The reason why an image cannot be read, keyed by the row of the image.
    suspects
        Rows of the images that were decoded but may be damaged.
    computed
        Number of images whose vectors were computed.
    settle
        A function that gets a row and its prepared image. It returns the vectors of the image, or None if `compute`
        must compute them. It is called for each image. Frames of a video come in their order.
    recalled
        A function that is called after the stored vectors have been read.
    """

    title: str
    paths: Sequence[Path]
    vectors: Sequence[ImageVectors]
    memo: DigestMemo
    prepare: Callable[[int, bytes | RGB], T]
    compute: Callable[[Iterator[tuple[int, T]]], Iterator[tuple[int, Sequence[Array]]]]
    stop_at_failure: bool = False
    batch: int = 16
    failures: dict[int, str] = field(default_factory=dict)
    suspects: set[int] = field(default_factory=set)
    computed: int = 0
    settle: Callable[[int, T], Sequence[Array] | None] = lambda row, image: None
    recalled: Callable[[], None] = lambda: None
    _added: int = 0
    _digests: dict[int, Digest] = field(default_factory=dict)
    _frames: WantedFrames = field(default_factory=WantedFrames)
    _kept: float = field(default_factory=time.monotonic)

    def run(self, pool: Executor, ahead: int) -> None:
        """Fill in all vectors. What has been computed is stored even if the run is interrupted.

        The threads of `pool` read at most `ahead` images in advance.
        """
        self._frames = WantedFrames.among(self.paths, self.memo)
        frames = self._frames.rows
        remembered = ((row, self.memo.get(self.paths[row])) for row in self._open_rows() if row not in frames)
        self._digests = {row: digest for row, digest in remembered if digest is not None} | self._frames.digests
        try:
            self._recall()
            self.recalled()
            self._fill_open(pool, ahead, self._stored)
            self._recall()
            # vectors that are listed in a store but cannot be read are computed again
            self._fill_open(pool, ahead, lambda row, digest: False)
        finally:
            self.keep()
            self._warn_of_damage()

    def _save(self) -> None:
        """Write new vectors to disk. New digests are also written, but at most once every `MEMO_SECONDS`."""
        for vectors in self.vectors:
            vectors.store.save()
        if time.monotonic() - self._kept > MEMO_SECONDS:
            self._keep_digests()

    def keep(self) -> None:
        """Write all new vectors and all new digests to disk."""
        for vectors in self.vectors:
            vectors.store.flush()
        self._keep_digests()

    def _keep_digests(self) -> None:
        self._kept = time.monotonic()
        try:
            self.memo.flush()
        except DetreduceError as error:
            self._kept = math.inf  # `keep` will try again at the end
            if all(vectors.store.writable for vectors in self.vectors):
                warn_unwritable(error)

    def _warn_of_damage(self) -> None:
        """Issue one warning that names the damaged images that were decoded anyway."""
        damaged = [
            f"{path} ({why})" for path, why in confirmed_damage([self.paths[row] for row in sorted(self.suspects)])
        ]
        if damaged:
            text = f"Damaged, but decoded (the decoder fills in missing parts): {name_first(damaged)}."
            warnings.warn(f"{text} `inspect --check-images` names all.", DetreduceWarning, stacklevel=3)

    def _open_rows(self) -> list[int]:
        """Return the rows of the images that still lack a vector and have not failed."""
        done = np.logical_and.reduce([vectors.complete() for vectors in self.vectors])
        return [row for row in np.flatnonzero(~done).tolist() if row not in self.failures]

    def _stored(self, row: int, digest: Digest) -> bool:
        return all(vectors.stored(row, digest) for vectors in self.vectors)

    def _recall(self) -> None:
        """Read the stored vectors of all images whose digests are known."""
        digests = {row: self._digests[row] for row in self._open_rows() if row in self._digests}
        for vectors in self.vectors:
            vectors.recall(digests)

    def _fill_open(self, pool: Executor, ahead: int, known: Known) -> None:
        """Read the images that lack vectors. If an image is not `known`, compute its vectors."""
        rows = self._open_rows()
        if not rows:
            return
        with progress(self.title, len(rows), "images") as advance:

            def read(row: int) -> ReadImage[T]:
                """Read and prepare the image of a row."""
                return read_image(row, self.paths[row], self.prepare, known)

            frames = self._frames.rows
            files = read_ahead((row for row in rows if row not in frames), read, pool, ahead)
            decoded = min(ahead, FRAMES_DECODED)
            preparation = FramePreparation(self.prepare, pool, decoded, ahead)
            wanted = frames.intersection(rows)
            images = chain(files, read_frames_ahead(self._frames, wanted, known, preparation))
            prepared = self._readable(images, advance)
            for row, arrays in self.compute(prepared):
                self._add(row, arrays)
                self.computed += 1
                advance()

    def _add(self, row: int, arrays: Sequence[Array]) -> None:
        """Fill in the vectors of an image, and write vectors to disk if enough of them wait."""
        for vectors, array in zip(self.vectors, arrays, strict=True):
            vectors.add(row, self._digests[row], array)
        self._added += 1
        if self._added % self.batch == 0:
            self._save()

    def _readable(self, images: Iterator[ReadImage[T]], advance: Callable[..., None]) -> Iterator[tuple[int, T]]:
        """Yield the row and the prepared image for each image that has to be computed.

        The digests and failures of all images are recorded on the way.
        """
        for image in images:
            path = self.paths[image.row]
            if image.status is not None:
                self._digests[image.row] = image.digest
                self.memo.put(path, image.status, image.read_at_ns, image.digest)
            if image.suspect:
                self.suspects.add(image.row)
            if image.error:
                if self.stop_at_failure:
                    raise ImageReadError(f"{path}: {image.error}.")
                self.failures[image.row] = image.error
            elif image.content is not None:
                arrays = self.settle(image.row, image.content)
                if arrays is None:
                    yield image.row, image.content
                    continue
                self._add(image.row, arrays)
            advance()
