"""detreduce: train object detectors on fewer images, and measure the cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detreduce.version import __version__
from detreduce.vocabulary.former_modules import keep_former_modules
from detreduce.vocabulary.public_names import import_at_first_use

if TYPE_CHECKING:
    from detreduce.dataset import load_dataset
    from detreduce.dataset.merging.merge import merge
    from detreduce.dataset.merging.result import MergeResult
    from detreduce.dataset.records import DetectionDataset
    from detreduce.dataset.write import write_subset
    from detreduce.duplicates import exact_duplicates, leakage_report, near_duplicates
    from detreduce.errors import DetreduceError
    from detreduce.experiment.ledger.ledger import Ledger
    from detreduce.experiment.run import run_experiment
    from detreduce.experiment.tuning.result import TuningResult
    from detreduce.experiment.tuning.tune import tune
    from detreduce.exports import StreamWeights, export_selection, stream_weights
    from detreduce.features.detector.predict import predict_boxes
    from detreduce.features.detector.request import Detector
    from detreduce.features.extract import extract_features
    from detreduce.features.table import FeatureTable
    from detreduce.pages.write import write_selection_page
    from detreduce.reduction.next_round import NextRound, next_round
    from detreduce.reduction.result import ReductionResult
    from detreduce.reduction.run import reduce
    from detreduce.report import write_report
    from detreduce.representativeness import measure_representativeness
    from detreduce.selection.choose import select
    from detreduce.selection.explanation import explain
    from detreduce.selection.record import Selection
    from detreduce.splitting.run import split_dataset
    from detreduce.training.energy_callback import energy_callback
    from detreduce.training.harness import train
    from detreduce.training.proxy import log_proxy_training
    from detreduce.training.recipes.recipe import Recipe
    from detreduce.training.record import TrainingRecord

keep_former_modules()

# torch and ultralytics take seconds to import, so each name is imported when it is first used
__getattr__ = import_at_first_use(
    __name__,
    {
        "DetectionDataset": "detreduce.dataset.records",
        "Detector": "detreduce.features.detector.request",
        "DetreduceError": "detreduce.errors",
        "FeatureTable": "detreduce.features.table",
        "Ledger": "detreduce.experiment.ledger.ledger",
        "MergeResult": "detreduce.dataset.merging.result",
        "NextRound": "detreduce.reduction.next_round",
        "Recipe": "detreduce.training.recipes.recipe",
        "ReductionResult": "detreduce.reduction",
        "Selection": "detreduce.selection",
        "StreamWeights": "detreduce.exports",
        "TrainingRecord": "detreduce.training.record",
        "TuningResult": "detreduce.experiment.tuning.result",
        "energy_callback": "detreduce.training.energy_callback",
        "exact_duplicates": "detreduce.duplicates",
        "explain": "detreduce.selection.explanation",
        "export_selection": "detreduce.exports",
        "extract_features": "detreduce.features.extract",
        "leakage_report": "detreduce.duplicates",
        "load_dataset": "detreduce.dataset",
        "log_proxy_training": "detreduce.training.proxy",
        "measure_representativeness": "detreduce.representativeness",
        "merge": "detreduce.dataset.merging.merge",
        "near_duplicates": "detreduce.duplicates",
        "next_round": "detreduce.reduction.next_round",
        "predict_boxes": "detreduce.features.detector.predict",
        "reduce": "detreduce.reduction",
        "run_experiment": "detreduce.experiment.run",
        "select": "detreduce.selection",
        "split_dataset": "detreduce.splitting",
        "stream_weights": "detreduce.exports",
        "train": "detreduce.training.harness",
        "tune": "detreduce.experiment.tuning.tune",
        "write_report": "detreduce.report",
        "write_selection_page": "detreduce.pages.write",
        "write_subset": "detreduce.dataset.write",
    },
)

__all__ = [
    "DetectionDataset",
    "Detector",
    "DetreduceError",
    "FeatureTable",
    "Ledger",
    "MergeResult",
    "NextRound",
    "Recipe",
    "ReductionResult",
    "Selection",
    "StreamWeights",
    "TrainingRecord",
    "TuningResult",
    "__version__",
    "energy_callback",
    "exact_duplicates",
    "explain",
    "export_selection",
    "extract_features",
    "leakage_report",
    "load_dataset",
    "log_proxy_training",
    "measure_representativeness",
    "merge",
    "near_duplicates",
    "next_round",
    "predict_boxes",
    "reduce",
    "run_experiment",
    "select",
    "split_dataset",
    "stream_weights",
    "train",
    "tune",
    "write_report",
    "write_selection_page",
    "write_subset",
]


def __dir__() -> list[str]:
    return sorted(__all__)
