"""Compute the weights or the order that a stream gives to the images of a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from detreduce.dataset.paths.finding import find
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.features.request import Extraction
from detreduce.features.table import FeatureTable
from detreduce.reducers.catalogue import described
from detreduce.selection.choose import select
from detreduce.training.concurrent_runs import overlapped
from detreduce.training.energy import EnergyMeter, PhaseEnergy, together
from detreduce.training.energy.making_cost import charged_table
from detreduce.training.streams.clusters import cluster_sizes
from detreduce.training.streams.stream import Stream
from detreduce.training.streams.table import read_weights
from detreduce.training.streams.weights import FloatArray, IntArray, class_uniform, cluster_balanced, normalise

METHOD = "herding"
"""The method that makes the order of a `core_first` stream. It is named here, so that importing this is fast."""


def image_weights(dataset: DetectionDataset, stream: Stream, cache: str | Path | None = None) -> FloatArray:
    """Return the (n,) float64 weights of the images in a dataset, which sum to 1.

    For `cluster_balanced`, the images are decoded to search for near-duplicates. `cache` is the folder for image
    signatures, as in `near_duplicates`. Raise InputError if the stream has an order instead of weights. Also raise it
    if the stream needs labels, but the dataset has none.
    """
    return metered_weights(dataset, stream, cache)[0]


def metered_weights(
    dataset: DetectionDataset,
    stream: Stream,
    cache: str | Path | None = None,
    meter: EnergyMeter | None = None,
) -> tuple[FloatArray, PhaseEnergy | None]:
    """Return the weights as `image_weights` does, and the energy of computing them without a cache.

    The energy is None if there is no `meter`, or if the weights can be computed without opening images.
    """
    if stream.by == "core_first":
        raise InputError(
            "The stream core_first has an order instead of weights. Use class_uniform, cluster_balanced or weights."
        )
    if stream.by == "class_uniform":
        return _by_class(dataset, stream), None
    if stream.by == "cluster_balanced":
        # check the labels before decoding any images
        classes = _by_class(dataset, stream) if stream.times_classes else np.ones(len(dataset))
        sizes, energy = cluster_sizes(dataset, stream.threshold, cache, meter)
        return normalise(classes * cluster_balanced(sizes, stream.power)), energy
    if stream.by == "weights":
        assert stream.file is not None
        return normalise(read_weights(find(stream.file, what="table of weights"), dataset)), None
    return np.full(len(dataset), 1 / max(1, len(dataset))), None


def core_order(
    dataset: DetectionDataset, cache: str | Path | None = None, meter: EnergyMeter | None = None
) -> tuple[IntArray, PhaseEnergy | None]:
    """Return the (n,) int64 rows in the order of a `core_first` stream, and the energy of finding this order.

    The order is the result of the method `herding`, with features of the objects from the default backbone. Images
    without boxes come after the others, and images that cannot be read come last. The energy is the energy without a
    cache: it includes the features that were read from the cache. It is None if there is no `meter`. Raise InputError
    if the images have no labels.
    """
    _check_labelled(dataset, "core_first")
    extraction = Extraction(cache=cache).for_method(METHOD, described(METHOD).needs, dataset)
    if meter is None:
        return _order(extraction.run(dataset), dataset), None
    with EnergyMeter(meter.country).measure("features") as making:
        table = extraction.run(dataset)
    with EnergyMeter(meter.country).measure("selection") as choosing:
        order = _order(table, dataset)
    making.overlapped = choosing.overlapped = overlapped() or None
    return order, together([charged_table(table.provenance, len(table), making), choosing])


def _order(table: FeatureTable, dataset: DetectionDataset) -> IntArray:
    """Return the rows in the order of `herding`, followed by the rows that are not in the table."""
    order = select(table, METHOD, keep=len(table), categories=None, match="class_means").indices
    rest = np.setdiff1d(np.arange(len(dataset)), order)
    return np.concatenate([order, rest]).astype(np.int64)


def _by_class(dataset: DetectionDataset, stream: Stream) -> FloatArray:
    _check_labelled(dataset, stream.by)
    boxes = ~dataset.box_crowd
    return class_uniform(dataset.box_rows[boxes], dataset.box_classes[boxes], len(dataset), stream.power)


def _check_labelled(dataset: DetectionDataset, by: str) -> None:
    if not dataset.labelled:
        raise InputError(f"{dataset.source.typed}: the stream {by} needs labels, but the images have none.")
