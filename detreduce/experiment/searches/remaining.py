"""Replace the keep ``all`` by the number of images that remain after duplicates are left out."""

from __future__ import annotations

from detreduce.dataset.records import DetectionDataset
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.preflight import check_keep
from detreduce.selection.choose import bare_table
from detreduce.selection.duplicate_search import count_remaining, duplicates_to_drop
from detreduce.selection.request import CompositionRequest
from detreduce.vocabulary.option_values import ALL


def with_counts(config: ExperimentConfig, dataset: DetectionDataset) -> ExperimentConfig:
    """Replace the keep ``all`` in a configuration by a number of images.

    For each method, count the images that remain after its excluded images and duplicates are left out. The smallest
    count replaces ``all``, because every method can keep this number of images. The search for duplicates reads all
    images once, and its results are cached.
    """
    if ALL not in config.reduce.keep:
        return config
    images = min(
        _count(dataset, CompositionRequest.of(**method.composition(config.reduce))) for method in config.reduce.methods
    )
    check_keep(config, dataset, images)
    return config.model_copy(update={"reduce": config.reduce.with_all(images)})


def _count(dataset: DetectionDataset, request: CompositionRequest) -> int:
    """Return the number of images that remain after excluded images and duplicates are left out."""
    return count_remaining(bare_table(dataset), request, duplicates_to_drop(dataset, request))
