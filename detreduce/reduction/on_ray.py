"""Compute features and image signatures on a Ray cluster, and choose in parts there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detreduce.dataset.reading.loaded_files import LoadedFiles
from detreduce.dataset.records import DetectionDataset
from detreduce.display.progress import progress
from detreduce.duplicates.search import signatures_of
from detreduce.features.request import Extraction
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.parallel import map_parts, parts_mapped_by, slices
from detreduce.machine.ray_cluster import connected, import_ray, ray_mapper
from detreduce.reduction.steps import Reduction
from detreduce.selection.request import EXACT, DuplicateSearch

IMAGES = 256
"""Number of images of a task. Loading the network takes about as long as the features of a few images."""
NETWORK_BLOCKS = ("image", "objects")


@dataclass(frozen=True)
class FeatureTask:
    """A task that computes the features of some images and stores them in the cache folder."""

    extraction: Extraction

    def __call__(self, part: DetectionDataset) -> int:
        """Return the number of images. Vectors that the cache folder contains already are not computed again."""
        self.extraction.run(part)
        return len(part)


@dataclass(frozen=True)
class SignatureTask:
    """A task that computes the signatures of some images and stores them in the cache folder."""

    by: str
    cache: str

    def __call__(self, part: DetectionDataset) -> int:
        """Return the number of images. Signatures that the cache folder contains already are not computed again."""
        signatures_of(part, np.arange(len(part), dtype=np.int64), self.by, self.cache, 1)
        return len(part)


@contextmanager
def on_cluster(reduction: Reduction, address: str | None, gpus: float = 0.0) -> Iterator[None]:
    """Do the slow parts of a reduction on a Ray cluster: the features and signatures now, the choice inside the block.

    The reduction then finds all vectors in the cache folder, so its result is the same as without Ray. All nodes must
    reach the images and the cache folder by the same paths. If `address` is None, nothing happens.

    Parameters
    ----------
    reduction
        The reduction that runs inside the block.
    address
        The address of the cluster, or ``auto`` (see `connected`).
    gpus
        Number of GPUs of each task that computes features. With 0.25, four tasks share one GPU.
    """
    if address is None:
        yield
        return
    ray = import_ray()
    with connected(ray, address):
        with parts_mapped_by(ray_mapper(ray, gpus)):
            for extraction in reduction.extractions:
                compute_features(reduction.dataset, extraction)
        with parts_mapped_by(ray_mapper(ray)):
            compute_signatures(reduction)
            yield


def compute_features(dataset: DetectionDataset, extraction: Extraction) -> None:
    """Compute the vectors of all images in parts, and store them in the cache folder."""
    blocks = tuple(name for name in extraction.blocks or () if name in NETWORK_BLOCKS)
    if not blocks or extraction.vectors_file is not None or not len(dataset):
        return
    wanted = replace(extraction, blocks=blocks, proxy=None, cache=str(cache_folder(extraction.cache).absolute()))
    # each node could pick another precision, so this process picks it, with one image
    first = wanted.run(replace(dataset, records=dataset.records[:1])).provenance
    wanted = replace(wanted, precision=first[blocks[0]]["precision"])
    _work_off("features on the cluster", dataset, FeatureTask(wanted))


def compute_signatures(reduction: Reduction) -> None:
    """Compute the signatures of all images in parts, if the request asks for a search for duplicates by pixels."""
    search = reduction.request.selection.composition.drop_duplicates
    if not isinstance(search, DuplicateSearch) or search.by not in ("pixels", "boxes", EXACT):
        return
    cache = str(cache_folder(reduction.request.selection.cache).absolute())
    _work_off(
        "signatures on the cluster",
        reduction.dataset,
        SignatureTask("pixels" if search.by == EXACT else search.by, cache),
    )


def _work_off(title: str, dataset: DetectionDataset, task: Callable[[DetectionDataset], Any]) -> None:
    """Run a task for all images, `IMAGES` at a time."""
    parts = (_part(dataset, part) for part in slices(len(dataset), IMAGES))
    with progress(title, len(dataset), "images") as advance:
        for count in map_parts(task, parts):
            advance(count)


def _part(dataset: DetectionDataset, part: slice) -> DetectionDataset:
    """Return some images of a dataset, without what belongs to the whole dataset."""
    return replace(dataset, records=dataset.records[part], problems=(), loaded=LoadedFiles())
