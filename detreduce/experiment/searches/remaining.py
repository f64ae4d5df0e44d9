"""The number of images that ``keep: all`` stands for."""

from __future__ import annotations

from dataclasses import replace

from detreduce.dataset.records import DetectionDataset
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.preflight import check_keep
from detreduce.experiment.sections import ALL
from detreduce.selection.choose import bare_table
from detreduce.selection.duplicate_search import duplicates_to_drop
from detreduce.selection.named_images import leave_out_excluded
from detreduce.selection.request import CompositionRequest


def with_counts(config: ExperimentConfig, dataset: DetectionDataset) -> ExperimentConfig:
    """Return the configuration with the `keep` ``all`` replaced by the number of images that every method can keep.

    The search for duplicates reads all images once; the cache keeps what it computes.
    """
    if ALL not in config.reduce.keep:
        return config
    images = min(
        count_remaining(dataset, CompositionRequest.of(**method.composition(config.reduce)))
        for method in config.reduce.methods
    )
    check_keep(config, dataset, images)
    return config.model_copy(update={"reduce": config.reduce.with_all(images)})


def count_remaining(dataset: DetectionDataset, request: CompositionRequest) -> int:
    """Return the number of images that remain without excluded images and without duplicates."""
    remaining, _, _ = leave_out_excluded(bare_table(dataset), replace(request, groups=None))
    found = duplicates_to_drop(dataset, request)
    return len(remaining) - (len(found.pairs) if found else 0)
