"""The cells of an experiment as tasks of Ray, on a cluster or on this machine."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.costs.limits import Limits
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.run import POLL_SECONDS, PreparedExperiment, prepare_experiment


@dataclass(frozen=True)
class RayResult:
    """The result of a task: whether the cell is finished, its lines of text, and the error."""

    key: str
    finished: bool
    lines: tuple[str, ...]
    error: str = ""


def run_on_ray(
    prepared: PreparedExperiment, limits: Limits | None = None, *, gpus_per_cell: float | None = None
) -> Ledger:
    """Run the missing cells on the Ray cluster of ``RAY_ADDRESS`` or of this machine, else on this machine alone.

    The dataset, the weights and the ledger must have the same paths on all nodes: the ledger's claims are files.
    Cells that share a machine overlap, so their energy and seconds are not compared.

    Parameters
    ----------
    prepared
        The experiment to run.
    limits
        None, or without bounds: cells that run at the same time cannot keep to limits.
    gpus_per_cell
        0.5 lets two cells share a GPU; None is 1 if the cluster has GPUs, else 0.

    Raises
    ------
    InputError
        Ray is missing, limits are given, or no node has enough GPUs for a cell.
    DetreduceError
        A cell failed; finished cells are kept.
    """
    ray = _ray()
    if limits not in (None, Limits()):
        raise InputError("max_hours and max_wh are for cells that run one after the other: leave them out with Ray.")
    if gpus_per_cell is not None and gpus_per_cell < 0:
        raise InputError(f"gpus_per_cell={gpus_per_cell!r}: give 0 or more.")
    with _cluster(ray):
        there = float(ray.cluster_resources().get("GPU", 0))
        gpus = min(1.0, there) if gpus_per_cell is None else gpus_per_cell
        if gpus > there:
            raise InputError(f"gpus_per_cell={gpus:g}, but the cluster has {there:g}: give at most {there:g}.")
        _work_off(ray, prepared, ray.remote(run_one).options(num_cpus=1, num_gpus=gpus, max_retries=0))
    return prepared.ledger


def run_one(settings: str, ledger: str, key: str) -> RayResult:
    """Run one cell in a worker; return an error that a person can fix as text."""
    lines: list[str] = []
    try:
        prepared = _prepared(settings, ledger)
        cells = [cell for cell in prepared.cells if cell.key == key]
        if not cells:
            raise InputError(
                f"The cell {key} is not planned on this node: all nodes need the same dataset, weights and versions."
            )
        prepared.say = lines.append
        prepared.run_cell(cells[0])
    except DetreduceError as error:
        return RayResult(key, False, tuple(lines), str(error))
    return RayResult(key, key in prepared.ledger, tuple(lines))


@functools.lru_cache(maxsize=1)
def _prepared(settings: str, ledger: str) -> PreparedExperiment:
    """Prepare the experiment once for all cells of a worker, so that dataset and features are read once."""
    return prepare_experiment(ExperimentConfig.model_validate(json.loads(settings)), ledger)


def _work_off(ray: Any, prepared: PreparedExperiment, task: Any) -> None:
    settings, ledger = prepared.settings.model_dump_json(), str(prepared.ledger.path)
    missing = prepared.begin()
    while missing:
        pending = [task.remote(settings, ledger, cell.key) for cell in missing]
        try:
            while pending:
                ready, pending = ray.wait(pending)
                for reference in ready:
                    _tell(prepared, _result(ray, reference))
        except BaseException:
            for reference in pending:
                with contextlib.suppress(Exception):
                    ray.cancel(reference, force=True)
            raise
        missing = prepared.missing
        if missing:
            prepared.say(f"Waiting for {len(missing)} cells that another process runs.")
            time.sleep(POLL_SECONDS)


def _result(ray: Any, reference: Any) -> RayResult:
    try:
        outcome: RayResult = ray.get(reference)
    except ray.exceptions.RayError as error:
        raise DetreduceError(f"Ray could not run a cell: {error} Finished cells are kept.") from error
    return outcome


def _tell(prepared: PreparedExperiment, outcome: RayResult) -> None:
    for line in outcome.lines:
        prepared.say(line)
    if outcome.error:
        raise DetreduceError(outcome.error)


@contextmanager
def _cluster(ray: Any) -> Iterator[None]:
    """Join the cluster, or start one that ends with this call."""
    if ray.is_initialized():
        yield
        return
    # workers of a cluster that runs already do not have the environment of this process
    shared = {name: os.environ[name] for name in ("DETREDUCE_CACHE", "OMP_NUM_THREADS") if name in os.environ}
    ray.init(log_to_driver=False, include_dashboard=False, runtime_env={"env_vars": shared})
    try:
        yield
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise InputError(
            'Ray is not installed: pip install "detreduce[ray]". Without --ray nothing needs it.'
        ) from None
    return ray
