"""Compute the vectors of the blocks `image` and `objects`. Each image passes through the backbone at most once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError
from detreduce.features.backbones import Backbone, Network
from detreduce.features.pixels.embedding import embed_groups
from detreduce.features.pixels.objects import PairedBoxes
from detreduce.features.pixels.precision import Networks, resolve_precision
from detreduce.features.pixels.roi_pooling import WORDS, PlacedBoxes
from detreduce.features.pixels.running import Running
from detreduce.images.alongside_job import run_alongside
from detreduce.images.batches import Group, NetworkInput, Threads, network_input, same_shape_batches, threads
from detreduce.images.job import ImageJob, ImageVectors
from detreduce.images.store import DigestMemo, VectorStore


@dataclass(frozen=True)
class ImageBlock:
    """The vectors of a list of images.

    Attributes
    ----------
    vectors
        (n, d) float32: one row per image. The row of an image that could not be read is NaN.
    pairs
        (m, d) float32: one row per (image, class) pair. The rows of an image that could not be read are NaN. None if no
        boxes were pooled.
    failures
        The reason why an image could not be read, keyed by the row of the image.
    provenance
        How each block was computed, as values that JSON can store, keyed by the name of the block.
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
    """Compute the vectors of the images at `paths`. If `boxes` is given, also compute the vectors of the boxes.

    Vectors that are already in the cache folder `folder` are read. New vectors are stored there.
    """
    start = time.perf_counter()
    device = running.pick_device()
    networks = Networks(backbone, device)
    absolute = [path.absolute() for path in paths]
    with threads(device.type, running.workers) as pools:
        reason: dict[str, Any] = {}
        if precision == "auto":
            precision, reason = resolve_precision(networks, folder, pools.forward)
        memo = DigestMemo(folder)
        former = {**backbone.key, "precision": precision}
        vectors = _vectors(folder, former, boxes, len(paths))
        if not _have_all(vectors, absolute, memo):
            vectors = _vectors(folder, {**former, "forward": running.forward(device)}, boxes, len(paths))
        images, objects = vectors[0], vectors[-1] if boxes is not None else None
        batch = running.batch_size(device)
        embedding = _Embedding(absolute, partial(networks, precision), boxes, batch, pools)
        job: ImageJob[Any] = ImageJob(
            "Embedding images",
            absolute,
            vectors,
            memo,
            prepare=lambda row, data: network_input(data, backbone.preprocess),
            compute=embedding,
            stop_at_failure=running.stop_at_failure,
            batch=batch,
        )
        ahead = 2 * (batch + pools.count)
        if running.alongside is None:
            job.run(pools.decode, ahead)
        else:
            run_alongside(job, running.alongside, pools.decode, ahead)
    seconds = time.perf_counter() - start
    facts = {
        "backbone": backbone.name,
        "weights": str(backbone.weights),
        **{name: value for name, value in backbone.key.items() if name != "backbone"},
        "imgsz": backbone.imgsz,
        "precision": precision,
        **({"precision_choice": reason} if reason else {}),
        "device": str(device),
        "images": len(paths),
        "unreadable": len(job.failures),
        "passes": job.computed,
        "seconds": round(seconds, 3),
        "images_per_second": round(len(paths) / seconds, 1),
    }
    provenance = {"image": {**facts, **_counts(images)}}
    if objects is None or boxes is None:
        return ImageBlock(images.array(), None, job.failures, provenance)
    counts = {"boxes": len(boxes.corners), "pairs": len(boxes), **_counts(objects)}
    provenance["objects"] = {**facts, "pooling": WORDS, **counts}
    return ImageBlock(images.array(), objects.array(images.width), job.failures, provenance)


def kept_precision(paths: Sequence[Path], backbone: Backbone, folder: Path) -> str | None:
    """Return the precision in which the cache `folder` contains the vectors of all images, or None if some are missing.

    This function neither opens the images nor builds the network.
    """
    memo = DigestMemo(folder)
    digests = [memo.get(path.absolute()) for path in paths]
    if None in digests:  # before torch is imported, which takes 300 MiB
        return None
    running = Running()
    forward = running.forward(running.pick_device())
    for precision in ("bfloat16", "float32"):
        former = {**backbone.key, "precision": precision}
        for key in ({**former, "forward": forward}, former):
            store = VectorStore(folder, key)
            if all(digest is not None and digest in store for digest in digests):
                return precision
    return None


def _vectors(folder: Path, key: dict[str, str], boxes: PairedBoxes | None, n_images: int) -> list[ImageVectors]:
    """Return an empty `ImageVectors` for the images, with its store below `folder`.

    If `boxes` is given, add a second one for the (image, class) pairs.
    """
    images = ImageVectors(VectorStore(folder, key), np.arange(n_images + 1))
    if boxes is None:
        return [images]
    return [images, ImageVectors(VectorStore(folder, {**key, "pooling": WORDS}), boxes.pair_starts, boxes.key)]


def _have_all(vectors: Sequence[ImageVectors], paths: Sequence[Path], memo: DigestMemo) -> bool:
    """Return whether the stores contain all vectors of all images.

    Stores of an earlier version are used only if they are complete. Their vectors depend on the batch in which they
    were computed, so these vectors must not be mixed with new ones.
    """
    if not all(len(part.store) for part in vectors):
        return False
    try:
        digests = {row: memo.read(path) for row, path in enumerate(paths)}
    except OSError:
        return False
    return all(part.stored(row, digest) for row, digest in digests.items() for part in vectors)


def _counts(vectors: ImageVectors) -> dict[str, Any]:
    """Return facts for the provenance: how many vectors were read and computed, their length, and the store."""
    return {
        "dimension": vectors.width,
        "from_cache": vectors.recalled,
        "embedded": vectors.computed,
        "store": str(vectors.store.folder),
    }


@dataclass(frozen=True)
class _Embedding:
    """The `compute` function of an `ImageJob`: it passes the images through a network."""

    paths: Sequence[Path]
    network: Callable[[], Network]
    boxes: PairedBoxes | None
    batch: int
    pools: Threads

    def __call__(
        self, images: Iterator[tuple[int, NetworkInput]]
    ) -> Iterator[tuple[int, Sequence[npt.NDArray[np.float32]]]]:
        """Yield the row of each image with its arrays.

        The first array is the (1, d) vector of the image. If there are boxes, the second array has the (k, d) vectors
        of the image's (image, class) pairs.
        """
        groups = same_shape_batches(images, self.batch)
        pool, in_flight = self.pools.forward, self.pools.count + 1
        for group, embedded in embed_groups(groups, self.network, pool, in_flight, self._place_boxes, self.batch):
            rows = [row for row, _ in group]
            parts = [np.split(embedded.images, len(rows))]
            self._check_finite(embedded.images, rows)
            if self.boxes is not None and embedded.pairs is not None:
                counts = [len(self.boxes.pairs(row)) for row in rows]
                self._check_finite(embedded.pairs, np.repeat(rows, counts))
                parts.append(np.split(embedded.pairs, np.cumsum(counts)[:-1]))
            yield from zip(rows, zip(*parts, strict=True), strict=True)

    def _place_boxes(self, group: Group) -> PlacedBoxes | None:
        if self.boxes is None:
            return None
        return self.boxes.placed([row for row, _ in group], [item.frame for _, item in group])

    def _check_finite(self, vectors: npt.NDArray[np.float32], rows: Sequence[int] | npt.NDArray[np.int64]) -> None:
        """Raise InputError if a vector contains NaN or infinity. `rows` has the row of the image of each vector."""
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise InputError(
                f"The network computes features that are not finite for {self.paths[rows[int(np.argmin(finite))]]}. "
                "Check the weights of the network, or use precision='float32'."
            )
