"""The vectors of the `image` and `objects` blocks: one pass of each image through the backbone, unless kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.errors import ImageReadError, InputError
from detreduce.features.backbones import Backbone, Network
from detreduce.features.pixels.embedding import Embedded, embed_groups
from detreduce.features.pixels.objects import PairedBoxes
from detreduce.features.pixels.precision import Networks, resolve_precision
from detreduce.features.pixels.roi_pooling import WORDS, PlacedBoxes
from detreduce.features.pixels.running import Running
from detreduce.images.batches import Known, Prepared, Threads, read_ahead, same_shape_batches, threads
from detreduce.images.store import DigestMemo, VectorStore, warn_unwritable
from detreduce.machine.hashes import Digest


@dataclass(frozen=True)
class ImageBlock:
    """What became of a list of images.

    `vectors`: (n, d) float32, NaN where an image could not be read. `pairs`: (m, d) float32, of the (image, class)
    pairs of boxes, likewise; None where no boxes were given. `failures`: row -> why. `provenance`: block -> JSON-able.
    """

    vectors: npt.NDArray[np.float32]
    pairs: npt.NDArray[np.float32] | None
    failures: dict[int, str]
    provenance: dict[str, dict[str, Any]]


def image_block(
    paths: Sequence[Path],
    backbone: Backbone,
    precision: str,
    folder: Path,
    running: Running,
    boxes: PairedBoxes | None = None,
) -> ImageBlock:
    """Embed the images at `paths`, and their boxes if given, reading from and adding to the stores below `folder`."""
    start = time.perf_counter()
    device = running.pick_device()
    networks = Networks(backbone, device)
    with threads(device.type, running.workers) as pools:
        why: dict[str, Any] = {}
        if precision == "auto":
            precision, why = resolve_precision(networks, folder, pools.forward)
        key = {**backbone.key, "precision": precision}
        images = _Vectors(len(paths), VectorStore(folder, key))
        objects = None if boxes is None else _Objects(boxes, VectorStore(folder, {**key, "pooling": WORDS}))
        absolute = [path.absolute() for path in paths]
        job = _Job(absolute, backbone, images, objects, DigestMemo(folder), running.stop_at_failure)
        job.run(partial(networks, precision), running.batch_size(device, backbone.imgsz), pools)
    seconds = time.perf_counter() - start
    facts = {
        "backbone": backbone.name,
        "weights": str(backbone.weights),
        **{name: value for name, value in backbone.key.items() if name != "backbone"},
        "imgsz": backbone.imgsz,
        "precision": precision,
        **({"precision_choice": why} if why else {}),
        "device": str(device),
        "images": len(paths),
        "unreadable": len(job.failures),
        "passes": job.passes,
        "seconds": round(seconds, 3),
        "images_per_second": round(len(paths) / seconds, 1),
    }
    provenance = {"image": {**facts, **images.facts()}}
    if objects is None:
        return ImageBlock(images.array(), None, job.failures, provenance)
    provenance["objects"] = {**facts, "pooling": WORDS, **objects.facts()}
    return ImageBlock(images.array(), objects.array(images.width), job.failures, provenance)


def kept_precision(paths: Sequence[Path], backbone: Backbone, folder: Path) -> str | None:
    """The precision in which the store below `folder` has a vector of every one of these images; None if it has not.

    Opens no image and builds no network.
    """
    memo = DigestMemo(folder)
    digests = [memo.get(path.absolute()) for path in paths]
    for precision in ("bfloat16", "float32"):
        store = VectorStore(folder, {**backbone.key, "precision": precision})
        if all(digest is not None and digest in store for digest in digests):
            return precision
    return None


class _Vectors:
    """Vectors by number, each recalled from a store or added to it; allocated when the first shows what d is."""

    def __init__(self, count: int, store: VectorStore) -> None:
        self.filled = np.zeros(count, bool)
        self.store = store
        self.recalled = self.embedded = 0
        self._values: npt.NDArray[np.float32] | None = None

    @property
    def width(self) -> int:
        return 0 if self._values is None else self._values.shape[1]

    def array(self, width: int = 0) -> npt.NDArray[np.float32]:
        """The vectors, NaN where there is none; `width` is taken where not one is there."""
        return np.full((len(self.filled), width), np.nan, np.float32) if self._values is None else self._values

    def recall(self, wanted: Iterable[tuple[int, Digest]]) -> None:
        """Fill what the store has of these numbers, each with what it is kept under."""
        numbers: dict[Digest, list[int]] = {}
        for number, digest in wanted:
            if not self.filled[number]:
                numbers.setdefault(digest, []).append(number)
        for digest, vector in self.store.read(numbers):
            for number in numbers[digest]:
                self._fill(number, vector)
                self.recalled += 1

    def take(self, number: int, digest: Digest, vector: npt.NDArray[np.float32]) -> None:
        """Fill a number and keep its vector, unless the store has one, which is to be recalled."""
        if not self.filled[number] and digest not in self.store:
            self._fill(number, vector)
            self.embedded += 1
            self.store.add(digest, vector)

    def _fill(self, number: int, vector: npt.NDArray[np.float32]) -> None:
        if self._values is None:
            self._values = np.full((len(self.filled), len(vector)), np.nan, np.float32)
        self._values[number] = vector
        self.filled[number] = True

    def facts(self) -> dict[str, Any]:
        """What came from where."""
        return {
            "dimension": self.width,
            "from_cache": self.recalled,
            "embedded": self.embedded,
            "store": str(self.store.folder),
        }


class _Objects(_Vectors):
    """The vectors of the (image, class) pairs of boxes."""

    def __init__(self, boxes: PairedBoxes, store: VectorStore) -> None:
        super().__init__(len(boxes), store)
        self.boxes = boxes

    def keys(self, row: int, digest: Digest) -> Iterator[tuple[int, Digest]]:
        """The pairs of an image and what each is kept under."""
        return ((pair, self.boxes.key(pair, digest)) for pair in self.boxes.pairs(row))

    def known(self, row: int, digest: Digest) -> bool:
        """Whether the store has all pairs of an image."""
        return all(key in self.store for _, key in self.keys(row, digest))

    def complete(self) -> npt.NDArray[np.bool_]:
        """(n,) bool: images of which no pair is missing."""
        missing = np.concatenate([[0], np.cumsum(~self.filled)])
        return missing[self.boxes.pair_starts[1:]] == missing[self.boxes.pair_starts[:-1]]

    def facts(self) -> dict[str, Any]:
        """What came from where, counted in pairs."""
        return {"boxes": len(self.boxes.corners), "pairs": len(self.boxes), **super().facts()}


@dataclass
class _Job:
    """The rows of one call, and what is known of each so far."""

    paths: list[Path]
    backbone: Backbone
    images: _Vectors
    objects: _Objects | None
    memo: DigestMemo
    stop_at_failure: bool
    failures: dict[int, str] = field(default_factory=dict)
    digests: dict[int, Digest] = field(default_factory=dict)
    passes: int = 0

    def __post_init__(self) -> None:
        remembered = ((row, self.memo.get(path)) for row, path in enumerate(self.paths))
        self.digests = {row: digest for row, digest in remembered if digest is not None}

    def run(self, network: Callable[[], Network], batch: int, pools: Threads) -> None:
        """Fill every row that can be filled, and keep what was computed, also when interrupted."""
        try:
            self.recall(range(len(self.paths)))
            self.embed(network, batch, pools, known=self.known)
            self.recall(self.open_rows())
            # what the stores promised and could not give
            self.embed(network, batch, pools, known=lambda row, digest: False)
        finally:
            self.keep()

    def known(self, row: int, digest: Digest) -> bool:
        """Whether the stores have all that is wanted of a row."""
        return digest in self.images.store and (self.objects is None or self.objects.known(row, digest))

    def open_rows(self) -> list[int]:
        """Rows of which something is missing and that did not fail."""
        done = self.images.filled if self.objects is None else self.images.filled & self.objects.complete()
        return [int(row) for row in np.flatnonzero(~done) if row not in self.failures]

    def recall(self, rows: Iterable[int]) -> None:
        """Fill what the stores have, for rows whose digest is known."""
        digests = [(row, self.digests[row]) for row in rows if row in self.digests]
        self.images.recall(digests)
        if self.objects is not None:
            self.objects.recall(item for row, digest in digests for item in self.objects.keys(row, digest))

    def embed(self, network: Callable[[], Network], batch: int, pools: Threads, known: Known) -> None:
        """Read the open rows, and decode and embed those of which not all is `known`."""
        rows = self.open_rows()
        if not rows:
            return
        with progress("Embedding images", len(rows), "images") as advance:
            jobs = ((row, self.paths[row]) for row in rows)
            images = read_ahead(jobs, self.backbone.preprocess, known, pools.decode, ahead=2 * batch + pools.count)
            groups = same_shape_batches(self._readable(images, advance), batch)
            for group, found in embed_groups(groups, network, pools.forward, pools.count + 1, self._boxes):
                self._take(group, found)
                advance(len(group))

    def _readable(self, images: Iterable[Prepared], advance: Callable[..., None]) -> Iterator[Prepared]:
        for item in images:
            if item.status is not None:
                self.digests[item.row] = item.digest
                self.memo.put(self.paths[item.row], item.status, item.read_at_ns, item.digest)
            if item.error:
                if self.stop_at_failure:
                    raise ImageReadError(f"{self.paths[item.row]}: {item.error}.")
                self.failures[item.row] = item.error
                advance()
            elif item.image is None:
                advance()
            else:
                yield item

    def _boxes(self, group: list[Prepared]) -> PlacedBoxes | None:
        if self.objects is None:
            return None
        return self.objects.boxes.placed([item.row for item in group], [item.frame for item in group])

    def _take(self, group: list[Prepared], found: Embedded) -> None:
        self._check_finite(found.images, group)
        for item, vector in zip(group, found.images, strict=True):
            self.images.take(item.row, item.digest, vector)
        if self.objects is not None and found.pairs is not None:
            owners = [(item, *pair) for item in group for pair in self.objects.keys(item.row, item.digest)]
            self._check_finite(found.pairs, [item for item, _, _ in owners])
            for (_, pair, key), vector in zip(owners, found.pairs, strict=True):
                self.objects.take(pair, key, vector)
        self.passes += len(group)

    def _check_finite(self, vectors: npt.NDArray[np.float32], owners: list[Prepared]) -> None:
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise InputError(
                f"{self.backbone.name} gives features that are not finite for "
                f"{self.paths[owners[int(np.argmin(finite))].row]}: check its weights, or give precision='float32'."
            )

    def keep(self) -> None:
        """Write what the stores and the memo still hold."""
        stores = [self.images.store, *([self.objects.store] if self.objects is not None else [])]
        for store in stores:
            store.flush()
        try:
            self.memo.flush()
        except OSError as error:
            if all(store.writable for store in stores):
                warn_unwritable(self.images.store.folder, error)
