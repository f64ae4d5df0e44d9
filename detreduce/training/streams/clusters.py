"""Find the clusters of near-duplicates in a dataset, cache them, and meter the energy of finding them.

Every training is charged as if it were the first to use these clusters. Its energy includes the signatures of all
images and their comparison, even if both come from the cache.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from detreduce.arrays.class_counts import boxes_of_images
from detreduce.dataset.records import DetectionDataset
from detreduce.display.progress import step
from detreduce.duplicates.pixels.signatures import Signatures, signature_folder
from detreduce.duplicates.search import THRESHOLD, near_duplicates, signatures_of
from detreduce.errors import DetreduceError
from detreduce.machine.cache_folder import cache_folder
from detreduce.machine.files import write_atomically
from detreduce.machine.hashes import json_hash
from detreduce.machine.json_values import json_text
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, read_regular
from detreduce.training.concurrent_runs import overlapped
from detreduce.training.energy import EnergyMeter, PhaseEnergy, together
from detreduce.training.energy.making_cost import keep_rate
from detreduce.training.energy.signature_cost import with_signatures
from detreduce.training.streams.weights import IntArray

FOLDER = "clusters"
_VERSION = 1
"""Part of the name of a cached file. Increase it whenever the search would find other clusters."""


def cluster_sizes(
    dataset: DetectionDataset,
    threshold: float | None = None,
    cache: str | Path | None = None,
    meter: EnergyMeter | None = None,
) -> tuple[IntArray, PhaseEnergy | None]:
    """Return the size of each image's cluster of near-duplicates as (n,) int64, and the energy of finding the clusters.

    The clusters are the groups that `near_duplicates` finds. An image that cannot be read is a cluster of its own.
    `cache` is the folder for signatures and clusters. The energy does not depend on the cache: it is the energy of
    finding the clusters for the first time. It is None if there is no `meter`.
    """
    with step("looking for near-duplicates"):
        signatures, signing = _sign(dataset, cache, meter)
        file = cache_folder(cache) / FOLDER / f"{_name(dataset, signatures, threshold)}.json"
        kept = _kept(file, len(dataset))
        if kept is not None and (meter is None or kept[1] is not None):
            sizes, comparing = kept
        else:
            sizes, comparing = _compare(dataset, threshold, cache, meter)
            content = {"sizes": sizes.tolist(), "energy": None if comparing is None else comparing.model_dump()}
            with suppress(DetreduceError):
                write_atomically(file, lambda stream: stream.write(json_text(content).encode()))
    return sizes, None if signing is None or comparing is None else together([signing, comparing])


def _sign(
    dataset: DetectionDataset, cache: str | Path | None, meter: EnergyMeter | None
) -> tuple[Signatures, PhaseEnergy | None]:
    """Return the signatures of all images, and the energy of computing them without a cache.

    The energy is None if there is no meter.
    """
    rows = np.arange(len(dataset))
    if meter is None:
        return signatures_of(dataset, rows, "pixels", cache, None), None
    with EnergyMeter(meter.country).measure("signatures") as energy:
        found = signatures_of(dataset, rows, "pixels", cache, None)
    energy.overlapped = overlapped() or None
    keep_rate(signature_folder(cache_folder(cache)), len(found) - found.from_cache - len(found.failures), energy)
    return found, with_signatures(energy, found.from_cache, cache) if found.from_cache else energy


def _compare(
    dataset: DetectionDataset, threshold: float | None, cache: str | Path | None, meter: EnergyMeter | None
) -> tuple[IntArray, PhaseEnergy | None]:
    """Return the size of each image's cluster, and the energy of comparing the images.

    The energy is None if there is no meter.
    """
    if meter is None:
        return _sizes(dataset, threshold, cache), None
    with EnergyMeter(meter.country).measure("comparison") as energy:
        sizes = _sizes(dataset, threshold, cache)
    energy.overlapped = overlapped() or None
    return sizes, energy


def _sizes(dataset: DetectionDataset, threshold: float | None, cache: str | Path | None) -> IntArray:
    """Return the size of the cluster to which each image belongs."""
    sizes = np.ones(len(dataset), np.int64)
    for group in near_duplicates(dataset, threshold=threshold, cache=cache).groups:
        sizes[[dataset.row_of[image] for image in group]] = len(group)
    return sizes


def _name(dataset: DetectionDataset, signatures: Signatures, threshold: float | None) -> str:
    """Return a hash for the name of the cache file.

    It covers everything that affects the clusters: the pixels, the threshold, the numbers of boxes and the image ids.
    """
    boxes = boxes_of_images(dataset.sparse_class_counts)
    images = [digest.hex() for digest in signatures.digests]
    limit = THRESHOLD if threshold is None else float(threshold)
    return json_hash([_VERSION, limit, images, np.asarray(boxes).tolist(), [repr(record.id) for record in dataset]])


def _kept(file: Path, images: int) -> tuple[IntArray, PhaseEnergy | None] | None:
    """Return the sizes and the energy that a cache file contains. Return None if the file cannot be read."""
    try:
        content = parse_json(read_regular(file, RECORDS))
        sizes = np.array(content["sizes"], np.int64)
        energy = content["energy"]
        whole = sizes.shape == (images,) and bool((sizes >= 1).all())
        return (sizes, None if energy is None else PhaseEnergy.model_validate(energy)) if whole else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
