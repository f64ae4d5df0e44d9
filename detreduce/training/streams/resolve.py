"""Compute the weights or the order that a stream gives the images of a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from detreduce.dataset.finding import find
from detreduce.dataset.records import DetectionDataset
from detreduce.display.progress import step
from detreduce.duplicates.search import near_duplicates
from detreduce.errors import InputError
from detreduce.features.request import Extraction
from detreduce.reducers.methods.herding import Herding
from detreduce.selection.choose import select
from detreduce.training.streams.stream import Stream
from detreduce.training.streams.table import read_weights
from detreduce.training.streams.weights import FloatArray, IntArray, class_uniform, cluster_balanced, normalise


def image_weights(dataset: DetectionDataset, stream: Stream, cache: str | Path | None = None) -> FloatArray:
    """Return the (n,) float64 weights of a dataset's images, with sum 1.

    `cluster_balanced` looks for near-duplicates by pixels, and decodes the images for this search. `cache` is the
    folder for image signatures, as in `near_duplicates`. Raise InputError if the stream has no weights, or if it needs
    labels and the images have none.
    """
    if stream.by == "core_first":
        raise InputError(
            "The stream core_first has an order instead of weights. Use class_uniform, cluster_balanced or weights."
        )
    if stream.by == "class_uniform":
        return _by_class(dataset, stream)
    if stream.by == "cluster_balanced":
        # the labels are checked before the images are decoded
        classes = _by_class(dataset, stream) if stream.times_classes else np.ones(len(dataset))
        return normalise(classes * cluster_balanced(cluster_sizes(dataset, stream.threshold, cache), stream.power))
    if stream.by == "weights":
        assert stream.file is not None
        return normalise(read_weights(find(stream.file, what="table of weights"), dataset))
    return np.full(len(dataset), 1 / max(1, len(dataset)))


def cluster_sizes(
    dataset: DetectionDataset, threshold: float | None = None, cache: str | Path | None = None
) -> IntArray:
    """Return the (n,) int64 number of images in the cluster of near-duplicates of each image.

    The clusters are the groups of `near_duplicates`. An image that cannot be read is a cluster of its own.
    """
    with step("looking for near-duplicates"):
        found = near_duplicates(dataset, threshold=threshold, cache=cache)
    sizes = np.ones(len(dataset), np.int64)
    for group in found.groups:
        sizes[[dataset.row_of[image] for image in group]] = len(group)
    return sizes


def core_order(dataset: DetectionDataset, cache: str | Path | None = None) -> IntArray:
    """Return the (n,) int64 rows of a dataset in the order of `herding` by class means.

    The method uses features of the objects from the default backbone. Images without boxes come after the others, and
    images that cannot be read come last. Raise InputError if the images have no labels.
    """
    _check_labelled(dataset, "core_first")
    table = Extraction(cache=cache).for_method(Herding.name, Herding.needs, dataset).run(dataset)
    order = select(table, Herding.name, keep=len(table), categories=None, match="class_means").indices
    rest = np.setdiff1d(np.arange(len(dataset)), order)
    return np.concatenate([order, rest]).astype(np.int64)


def _by_class(dataset: DetectionDataset, stream: Stream) -> FloatArray:
    _check_labelled(dataset, stream.by)
    boxes = ~dataset.box_crowd
    return class_uniform(dataset.box_rows[boxes], dataset.box_classes[boxes], len(dataset), stream.power)


def _check_labelled(dataset: DetectionDataset, by: str) -> None:
    if not dataset.labelled:
        raise InputError(f"{dataset.source.typed}: the stream {by} needs labels, but the images have none.")
