"""Run the cells of an experiment as Ray tasks, on a cluster or on this machine."""

from __future__ import annotations

import contextlib
import functools
import json
from dataclasses import dataclass
from typing import Any

from detreduce.display.listener import listening, say
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.costs.limits import Limits
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.waiting import WaitForOthers
from detreduce.experiment.run import PreparedExperiment, prepare_experiment
from detreduce.machine.ray_cluster import connected, import_ray


@dataclass(frozen=True)
class RayResult:
    """The result of one Ray task.

    Attributes
    ----------
    key
        The key of the cell.
    finished
        Whether the cell is now finished.
    lines
        The lines of text that the cell printed.
    error
        The error message. Empty if there was no error.
    """

    key: str
    finished: bool
    lines: tuple[str, ...]
    error: str = ""


def run_on_ray(
    prepared: PreparedExperiment, limits: Limits | None = None, *, gpus_per_cell: float | None = None
) -> Ledger:
    """Run the missing cells as Ray tasks.

    The cells run on the cluster that ``RAY_ADDRESS`` names, or on a cluster that already runs on this machine. If there
    is none, Ray is started on this machine. The dataset, the weights and the ledger must have the same paths on all
    nodes, because the ledger's claims are files. Cells that run on one machine at the same time count as overlapped, so
    their energy and time are not compared.

    Parameters
    ----------
    prepared
        The experiment to run.
    limits
        Must be None or `Limits()`. Limits do not work for cells that run at the same time.
    gpus_per_cell
        Number of GPUs for each cell. With 0.5, two cells share one GPU. None means 1 if the cluster has GPUs, and 0
        otherwise.

    Raises
    ------
    InputError
        Ray is missing, limits are given, or no node has enough GPUs for a cell.
    DetreduceError
        A cell failed; finished cells are kept.
    """
    ray = import_ray()
    if limits not in (None, Limits()):
        raise InputError(
            "max_hours and max_wh do not work with Ray, because cells run at the same time. Remove these limits."
        )
    if gpus_per_cell is not None and gpus_per_cell < 0:
        raise InputError(f"gpus_per_cell={gpus_per_cell!r} is below 0: use for example 0.5.")
    with connected(ray):
        there = float(ray.cluster_resources().get("GPU", 0))
        gpus = min(1.0, there) if gpus_per_cell is None else gpus_per_cell
        if gpus > there:
            raise InputError(f"gpus_per_cell={gpus:g}, but the cluster has {there:g} GPUs: use at most {there:g}.")
        _work_off(ray, prepared, ray.remote(run_one).options(num_cpus=1, num_gpus=gpus, max_retries=0))
    return prepared.ledger


def run_one(settings: str, ledger: str, key: str) -> RayResult:
    """Run one cell in a Ray worker. If it raises a DetreduceError, the result contains the message of the error."""
    lines: list[str] = []
    try:
        prepared = _prepared(settings, ledger)
        cells = [cell for cell in prepared.cells if cell.key == key]
        if not cells:
            raise InputError(
                f"The cell {key} is not planned on this node: all nodes need the same dataset, weights and versions."
            )
        with listening(lines.append):
            prepared.run_cell(cells[0])
    except DetreduceError as error:
        return RayResult(key, False, tuple(lines), str(error))
    return RayResult(key, key in prepared.ledger, tuple(lines))


@functools.lru_cache(maxsize=1)
def _prepared(settings: str, ledger: str) -> PreparedExperiment:
    """Prepare the experiment. The result is cached, so that each Ray worker reads the dataset and features only
    once.
    """
    return prepare_experiment(ExperimentConfig.model_validate(json.loads(settings)), ledger)


def _work_off(ray: Any, prepared: PreparedExperiment, task: Any) -> None:
    """Run the missing cells, then wait until other processes have finished the cells that they run."""
    settings, ledger = json.dumps(prepared.settings.model_dump(mode="json")), str(prepared.ledger.path)
    missing = prepared.begin()
    say(prepared.overview.in_words())
    wait = WaitForOthers()
    while missing:
        pending = [task.remote(settings, ledger, cell.key) for cell in missing]
        try:
            while pending:
                ready, pending = ray.wait(pending)
                for reference in ready:
                    _pass_on(_result(ray, reference))
        except BaseException:
            for reference in pending:
                with contextlib.suppress(Exception):
                    ray.cancel(reference, force=True)
            raise
        missing = prepared.missing
        if missing:
            wait(len(missing))


def _result(ray: Any, reference: Any) -> RayResult:
    """Return the result of a task. Raise DetreduceError if Ray could not run the task."""
    try:
        outcome: RayResult = ray.get(reference)
    except ray.exceptions.RayError as error:
        raise DetreduceError(f"Ray could not run a cell: {error} Finished cells are kept.") from error
    return outcome


def _pass_on(outcome: RayResult) -> None:
    """Print the lines of a result. If it contains an error, raise the error here."""
    for line in outcome.lines:
        say(line)
    if outcome.error:
        raise DetreduceError(outcome.error)
