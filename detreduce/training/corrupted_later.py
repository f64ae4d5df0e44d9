"""Evaluate a finished training on corrupted images, using the weights in its folder, without training again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from detreduce.errors import InputError
from detreduce.machine.files import writing
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.training.energy import EnergyMeter
from detreduce.training.evaluation.robustness import FOLDER, PHASE, CleanImages, check_channels, evaluate_corrupted
from detreduce.training.facts import weights_hash
from detreduce.training.record import TrainingRecord
from detreduce.training.run.detector_training import cpu_threads
from detreduce.training.run.evaluation_arguments import evaluation_arguments
from detreduce.training.run.folder import EvaluateOn, EvaluationPlan, make_run_folder
from detreduce.training.run.model import find_model
from detreduce.ultralytics_bridge.pickled_tensors import read_state
from detreduce.ultralytics_bridge.tensor_weights import build_network
from detreduce.vocabulary.corruptions import Corruption


@dataclass(frozen=True)
class Evaluated:
    """The settings with which a training was evaluated. The evaluation on corrupted images uses the same settings.

    Attributes
    ----------
    data
        The dataset, as in `train`.
    model
        The model from which the training started. It determines the layers of the network.
    evaluate_on
        The splits to evaluate on, as in `train`.
    choose
        Which weights are evaluated: ``last`` or ``best``, as in `train`.
    country
        The country whose electricity mix is used to convert energy to CO2.
    """

    data: str | Path
    model: str
    evaluate_on: EvaluateOn
    choose: Literal["last", "best"]
    country: str


def with_corruptions(record: TrainingRecord, how: Evaluated, corruptions: Sequence[Corruption]) -> TrainingRecord:
    """Evaluate a finished training on corrupted images, and return its record with the results added.

    The weights are read as tensors, so no code in the file is run. Raise InputError if the weights are not in the run
    folder, or if they do not belong to the record.
    """
    file = Path(record.run, record.model.weights_file)
    if not is_regular(file):
        raise InputError(f"{file} is not kept.")
    state = read_state(file)
    network = build_network(find_model(how.model), state, record.data.class_names)
    if weights_hash(network.state_dict()) != record.model.weights_after:
        raise InputError(f"{file} does not have the weights of its training.")
    meter = EnergyMeter(how.country)
    plan = EvaluationPlan(how.evaluate_on, how.choose, allow_leaks=True)
    with tempfile.TemporaryDirectory(prefix="detreduce-corrupted-") as folder:
        run = make_run_folder(how.data, Path(folder) / "run", label="run", evaluation=plan)
        check_channels(run.data_yaml)
        weights = Path(folder) / "weights.pt"
        _save(network, weights)
        clean = CleanImages(run.data_yaml, list(run.truths.values()))
        arguments = evaluation_arguments(record.arguments, record.imgsz, record.resolved.get("batch") or 1)
        with cpu_threads(), meter.measure(PHASE):
            found = evaluate_corrupted(weights, clean, corruptions, run.path / FOLDER, arguments)
    return record.model_copy(update={"corrupted": found, "energy": {**record.energy, **meter.phases}})


def _save(network: Any, file: Path) -> None:
    """Write a network to a file in half precision, as ultralytics does at the end of a training."""
    import torch

    with writing(file):
        torch.save({"model": network.half(), "train_args": {}}, file)
