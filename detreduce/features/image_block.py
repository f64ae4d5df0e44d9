"""The `image` block: pooled backbone features of every readable image, from the store where it has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import ImageReadError, InputError
from detreduce.features.backbones import Backbone, Network
from detreduce.features.embedding import (
    Prepared,
    Threads,
    default_batch,
    embed_groups,
    read_ahead,
    same_shape_batches,
    threads,
)
from detreduce.features.precision import Networks, resolve_precision
from detreduce.features.store import Digest, DigestMemo, VectorStore, warn_unwritable
from detreduce.progress import progress

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ImageBlock:
    """What became of a list of images.

    `vectors`: (n, d) float32, NaN where an image could not be read. `failures`: row -> why. `provenance`: JSON-able.
    """

    vectors: npt.NDArray[np.float32]
    failures: dict[int, str]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class EmbeddingOptions:
    """How to run the network; see `extract_features`. `stop_at_failure`: raise ImageReadError at the first."""

    batch: int | None = None
    device: str | None = None
    precision: str = "auto"
    workers: int | None = None
    stop_at_failure: bool = False


def image_block(paths: Sequence[Path], backbone: Backbone, folder: Path, options: EmbeddingOptions) -> ImageBlock:
    """Embed the images at `paths`, reading from and adding to the store below `folder`."""
    start = time.perf_counter()
    device = pick_device(options.device)
    networks = Networks(backbone, device)
    with threads(device.type, options.workers) as pools:
        precision: str = options.precision
        why: dict[str, Any] = {}
        if precision == "auto":
            precision, why = resolve_precision(networks, folder, pools.forward)
        store = VectorStore(folder, {**backbone.key, "precision": precision})
        job = _Job([path.absolute() for path in paths], backbone, store, DigestMemo(folder), options.stop_at_failure)
        job.run(partial(networks, precision), options.batch or default_batch(device.type, backbone.imgsz), pools)
    seconds = time.perf_counter() - start
    provenance = {
        "backbone": backbone.name,
        "weights": str(backbone.weights),
        **{key: value for key, value in backbone.key.items() if key != "backbone"},
        "imgsz": backbone.imgsz,
        "precision": precision,
        **({"precision_choice": why} if why else {}),
        "device": str(device),
        "dimension": job.rows.width,
        "images": len(paths),
        "from_cache": job.recalled,
        "embedded": job.embedded,
        "unreadable": len(job.failures),
        "seconds": round(seconds, 3),
        "images_per_second": round(len(paths) / seconds, 1),
        "store": str(store.folder),
    }
    return ImageBlock(job.rows.array(), job.failures, provenance)


class _Rows:
    """An (n, d) array that is allocated when the first vector shows what d is."""

    def __init__(self, count: int) -> None:
        self.filled = np.zeros(count, bool)
        self._values: npt.NDArray[np.float32] | None = None

    @property
    def width(self) -> int:
        return 0 if self._values is None else self._values.shape[1]

    def fill(self, row: int, vector: npt.NDArray[np.float32]) -> None:
        if self._values is None:
            self._values = np.full((len(self.filled), len(vector)), np.nan, np.float32)
        self._values[row] = vector
        self.filled[row] = True

    def array(self) -> npt.NDArray[np.float32]:
        return np.full((len(self.filled), 0), np.nan, np.float32) if self._values is None else self._values


@dataclass
class _Job:
    """The rows of one call, and what is known of each so far."""

    paths: list[Path]
    backbone: Backbone
    store: VectorStore
    memo: DigestMemo
    stop_at_failure: bool
    failures: dict[int, str] = field(default_factory=dict)
    digests: dict[int, Digest] = field(default_factory=dict)
    recalled: int = 0
    embedded: int = 0

    def __post_init__(self) -> None:
        self.rows = _Rows(len(self.paths))
        remembered = ((row, self.memo.get(path)) for row, path in enumerate(self.paths))
        self.digests = {row: digest for row, digest in remembered if digest is not None}

    def run(self, network: Callable[[], Network], batch: int, pools: Threads) -> None:
        """Fill every row that can be filled, and keep what was computed, also when interrupted."""
        try:
            self.recall(range(len(self.paths)))
            seen = self.embed(network, batch, pools, known=self.store.__contains__)
            self.recall(seen)
            # what the store promised and could not give
            self.embed(network, batch, pools, known=lambda digest: False)
        finally:
            self.keep()

    def open_rows(self) -> list[int]:
        """Rows that have no vector yet and did not fail."""
        return [int(row) for row in np.flatnonzero(~self.rows.filled) if row not in self.failures]

    def recall(self, rows: Iterable[int]) -> None:
        """Fill what the store has, for rows whose digest is known."""
        rows_of: dict[Digest, list[int]] = {}
        for row in rows:
            if row in self.digests:
                rows_of.setdefault(self.digests[row], []).append(row)
        for digest, vector in self.store.read(rows_of):
            for row in rows_of[digest]:
                self.rows.fill(row, vector)
                self.recalled += 1

    def embed(
        self, network: Callable[[], Network], batch: int, pools: Threads, known: Callable[[Digest], bool]
    ) -> list[int]:
        """Read, decode and embed the open rows; returns those that were not, since their digest is `known`."""
        rows = self.open_rows()
        if not rows:
            return []
        skipped: list[int] = []
        with progress("Embedding images", len(rows), "images") as advance:
            jobs = ((row, self.paths[row]) for row in rows)
            images = read_ahead(jobs, self.backbone.preprocess, known, pools.decode, ahead=2 * batch + pools.count)
            groups = same_shape_batches(self._readable(images, skipped, advance), batch)
            for group, vectors in embed_groups(groups, network, pools.forward, in_flight=pools.count + 1):
                self._take(group, vectors)
                advance(len(group))
        return skipped

    def _readable(
        self, images: Iterable[Prepared], skipped: list[int], advance: Callable[..., None]
    ) -> Iterator[Prepared]:
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
                skipped.append(item.row)
                advance()
            else:
                yield item

    def _take(self, group: list[Prepared], vectors: npt.NDArray[np.float32]) -> None:
        if not np.isfinite(vectors).all():
            bad = group[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
            raise InputError(
                f"{self.backbone.name} gives features that are not finite for {self.paths[bad.row]}: "
                "check its weights, or give precision='float32'."
            )
        for item, vector in zip(group, vectors, strict=True):
            self.rows.fill(item.row, vector)
            self.store.add(item.digest, vector)
        self.embedded += len(group)

    def keep(self) -> None:
        """Write what the store and the memo still hold."""
        self.store.flush()
        try:
            self.memo.flush()
        except OSError as error:
            if self.store.writable:
                warn_unwritable(self.store.folder, error)


def pick_device(name: str | None) -> torch.device:
    """The torch device of that name, by default a GPU where there is one; raises InputError where it cannot be used."""
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(f"cuda:{name}" if str(name).isdigit() else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={name!r} cannot be used: {str(error).splitlines()[0]}") from None
    return device
