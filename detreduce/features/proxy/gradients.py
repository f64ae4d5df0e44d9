"""The block `gradients`: how each image pulls at the last layers of a detector's head, as one vector."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.display.progress import progress
from detreduce.errors import ImageReadError
from detreduce.features.pixels.image_block import ImageBlock
from detreduce.features.proxy.head_gradients import LAYERS, GradientOptions, HeadGradients, HeadInput
from detreduce.images.batches import Threads, same_shape_batches, threads
from detreduce.images.decode import Preprocess, decode_framed
from detreduce.images.store import DigestMemo, VectorStore, warn_unwritable
from detreduce.machine.hashes import Digest, content_digest, file_hash

BOXES = "in the frame of the decoded picture"
"""How labels get into the network's input; part of the cache's key."""


def gradient_block(dataset: DetectionDataset, weights: Path, folder: Path, options: GradientOptions) -> ImageBlock:
    """Compute the gradient of every image's detection loss, reading from and adding to the store below `folder`.

    The loss is what ultralytics would take for the image alone: box, class and distance parts with the gains that the
    weights were trained with. The gradient is that with respect to the weights and biases of the last convolution of
    each branch and level of the head, in eval mode; of YOLO26's twofold heads, of the part that inference uses by
    default. A sparse random projection (Li, Hastie and Church 2006), the same for every image, brings it to
    `dimensions` columns and keeps inner products on average. Memory: n x 512 float32, 2 KiB an image, beside one
    batch in the network.

    Returns
    -------
    ImageBlock
        `vectors` (n, 512) float32, NaN where an image could not be read.

    Raises
    ------
    InputError
        Weights of another number of classes than the dataset's, or that are no plain detector's.
    """
    start = time.perf_counter()
    device = options.running.pick_device()
    detector = HeadGradients(weights, len(dataset.class_names), device, options)
    preprocess = Preprocess(options.imgsz, "letterbox")
    key = {
        "backbone": "gradients",
        "layers": LAYERS,
        "boxes": BOXES,
        "preprocessing": preprocess.key,
        "weights_sha256": file_hash(weights),
        "dimensions": options.dimensions,
        "seed": options.seed,
    }
    job = _Job(dataset, preprocess, VectorStore(folder, key), DigestMemo(folder), options)
    with threads(device.type, options.running.workers) as pools:
        job.run(detector, options.running.batch_size(device, options.imgsz), pools)
    provenance = {
        **{name: value for name, value in key.items() if name != "backbone"},
        "weights": str(weights),
        "imgsz": options.imgsz,
        "device": str(device),
        "dimension": job.vectors.shape[1],
        "images": len(dataset),
        "from_cache": job.recalled,
        "embedded": job.made,
        "unreadable": len(job.failures),
        "seconds": round(time.perf_counter() - start, 3),
    }
    return ImageBlock(job.vectors, None, job.failures, {"gradients": provenance})


@dataclass(frozen=True)
class _File:
    """One file read: its content's digest, and either the input, or why there is none."""

    row: int
    digest: Digest = b""
    status: os.stat_result | None = None
    read_at_ns: int = 0
    input: HeadInput | None = None
    error: str = ""


def _read(row: int, path: Path, preprocess: Preprocess) -> _File:
    try:
        read_at_ns, status = time.time_ns(), path.stat()
        data = path.read_bytes()
    except OSError as error:
        return _File(row, error=error.strerror or str(error))
    digest = content_digest(data)
    try:
        image, frame = decode_framed(data, longest=preprocess.imgsz)
        frame = frame.inside(preprocess.frame(*image.shape[:2]))
        return _File(row, digest, status, read_at_ns, HeadInput(row, preprocess(image), frame))
    except (ImageReadError, cv2.error, MemoryError) as error:
        return _File(row, digest, status, read_at_ns, error=str(error))


class _Job:
    """The rows of one call, and what is known of each so far."""

    def __init__(
        self,
        dataset: DetectionDataset,
        preprocess: Preprocess,
        store: VectorStore,
        memo: DigestMemo,
        options: GradientOptions,
    ) -> None:
        self.paths = [record.path.absolute() for record in dataset]
        self.preprocess = preprocess
        self.store = store
        self.memo = memo
        self.options = options
        single = ~dataset.box_crowd
        self.boxes, self.classes = dataset.boxes_xyxyn[single], dataset.box_classes[single]
        self.starts = np.searchsorted(dataset.box_rows[single], np.arange(len(dataset) + 1))
        self.vectors = np.full((len(dataset), 0), np.nan, np.float32)
        self.filled = np.zeros(len(dataset), bool)
        self.failures: dict[int, str] = {}
        self.recalled = self.made = 0
        remembered = ((row, self.memo.get(path)) for row, path in enumerate(self.paths))
        self.names = {row: self.name(row, image) for row, image in remembered if image is not None}

    def truth(self, row: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Corners of a row's boxes as fractions of the image, and their classes."""
        inside = slice(self.starts[row], self.starts[row + 1])
        return self.boxes[inside], self.classes[inside]

    def name(self, row: int, image: Digest) -> Digest:
        """What a vector is kept under: the image's content and its labels."""
        boxes, classes = self.truth(row)
        return content_digest(image + boxes.astype("<f8").tobytes() + classes.astype("<i8").tobytes())

    def run(self, detector: HeadGradients, batch: int, pools: Threads) -> None:
        """Fill every row that can be filled, and keep what was computed, also when interrupted."""
        pool, ahead = pools.decode, batch + 2 * pools.count
        try:
            self.recall(list(self.names))
            self.compute(detector, batch, pool, ahead, known=self.store.__contains__)
            self.recall(row for row in np.flatnonzero(~self.filled).tolist() if row not in self.failures)
            # what the store promised and could not give
            self.compute(detector, batch, pool, ahead, known=lambda name: False)
        finally:
            self.store.flush()
            try:
                self.memo.flush()
            except OSError as error:
                if self.store.writable:
                    warn_unwritable(self.store.folder, error)

    def _fill(self, row: int, vector: npt.NDArray[np.float32]) -> None:
        if not self.vectors.shape[1]:
            self.vectors = np.full((len(self.paths), len(vector)), np.nan, np.float32)
        self.vectors[row] = vector
        self.filled[row] = True

    def recall(self, rows: Iterable[int]) -> None:
        """Fill what the store has, for rows whose image's digest is known."""
        rows_of: dict[Digest, list[int]] = {}
        for row in rows:
            if row in self.names:
                rows_of.setdefault(self.names[row], []).append(row)
        for digest, vector in self.store.read(rows_of):
            for row in rows_of[digest]:
                self._fill(row, vector)
                self.recalled += 1

    def compute(
        self, detector: HeadGradients, batch: int, pool: ThreadPoolExecutor, ahead: int, known: Callable[[Digest], bool]
    ) -> None:
        """Read the open rows, and compute those that are not `known` to the store."""
        rows = [int(row) for row in np.flatnonzero(~self.filled) if row not in self.failures]
        if not rows:
            return
        with progress("Gradients", len(rows), "images") as advance:
            for group in same_shape_batches(self._inputs(rows, pool, ahead, known), batch):
                vectors = detector.vectors(group, [self.truth(item.row) for item in group])
                for item, vector in zip(group, vectors, strict=True):
                    self._fill(item.row, vector)
                    self.store.add(self.names[item.row], vector)
                self.made += len(group)
                advance(len(group))

    def _inputs(
        self, rows: Iterable[int], pool: ThreadPoolExecutor, ahead: int, known: Callable[[Digest], bool]
    ) -> Iterator[HeadInput]:
        """Yield what could be read, at most `ahead` files in front of the network."""
        waiting: deque[Future[_File]] = deque()
        for row in rows:
            waiting.append(pool.submit(_read, row, self.paths[row], self.preprocess))
            if len(waiting) > ahead:
                yield from self._take(waiting.popleft().result(), known)
        while waiting:
            yield from self._take(waiting.popleft().result(), known)

    def _take(self, file: _File, known: Callable[[Digest], bool]) -> Iterator[HeadInput]:
        error = file.error
        if not np.isfinite(self.truth(file.row)[0]).all():
            error = error or "its boxes are in pixels and its size cannot be read"
        if error or file.input is None:
            if self.options.running.stop_at_failure:
                raise ImageReadError(f"{self.paths[file.row]}: {error}.")
            self.failures[file.row] = error
            return
        if file.status is not None:
            self.memo.put(self.paths[file.row], file.status, file.read_at_ns, file.digest)
        self.names[file.row] = self.name(file.row, file.digest)
        if not known(self.names[file.row]):
            yield file.input
