"""Connect to a Ray cluster, or start one on this machine, and do parts of some work on it."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from detreduce.errors import DetreduceError, InputError

AUTO = "auto"
"""The address that means: a cluster that is running already, or else a new one on this machine."""
AHEAD = 2
"""Number of tasks for each processor of the cluster that are sent in advance."""
RETRIES = 5
"""How often a task runs again if its worker or its node is lost."""
SHARED = ("DETREDUCE_CACHE", "DETREDUCE_DATA", "OMP_NUM_THREADS")
"""Environment variables that the workers get from this process."""


def import_ray() -> Any:
    """Import Ray and return the module. Raise InputError if Ray is not installed."""
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise InputError(
            'Ray is not installed: pip install "detreduce[ray]". Only the option --ray needs Ray.'
        ) from None
    return ray


@contextmanager
def connected(ray: Any, address: str = AUTO) -> Iterator[None]:
    """Connect to a Ray cluster inside the block. Disconnect at the end, unless there was a connection before.

    The address `AUTO` is the cluster that ``RAY_ADDRESS`` names, or a cluster that runs on this machine. If there is
    none, Ray is started on this machine and stopped at the end. Raise DetreduceError if no cluster answers.
    """
    if ray.is_initialized():
        yield
        return
    # the workers of a running cluster do not inherit the environment of this process
    shared = {name: os.environ[name] for name in SHARED if name in os.environ}
    given = {} if address == AUTO else {"address": address}
    try:
        ray.init(log_to_driver=False, include_dashboard=False, runtime_env={"env_vars": shared}, **given)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DetreduceError(f"No Ray cluster answers at {address}: {str(error).splitlines()[0]}") from error
    try:
        yield
    finally:
        ray.shutdown()


def ray_mapper(ray: Any, gpus: float = 0.0) -> Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]:
    """Return a function that yields ``work(part)`` for each part, in order, and does the work in Ray tasks.

    A task needs one processor, and `gpus` GPUs. If a worker is lost, its task runs again on another one. Errors of the
    work are raised here.
    """
    task = ray.remote(_call).options(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)

    def mapped(work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
        shared = ray.put(work)
        most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        running: deque[Any] = deque()
        try:
            for part in parts:
                running.append(task.remote(shared, part))
                if len(running) >= most:
                    yield _result(ray, running.popleft())
            while running:
                yield _result(ray, running.popleft())
        finally:
            for reference in running:
                with contextlib.suppress(Exception):
                    ray.cancel(reference, force=True)

    return mapped


def _call(work: Callable[[Any], Any], part: Any) -> tuple[Any, str]:
    """Do a part of the work in a Ray worker. Return its result, and the message of a DetreduceError or an empty text.

    Ray would send the error inside an error of its own, which hides the message.
    """
    try:
        return work(part), ""
    except DetreduceError as error:
        return None, str(error)


def _result(ray: Any, reference: Any) -> Any:
    """Return the result of a task. Raise DetreduceError if the work failed or Ray could not do it."""
    try:
        result, error = ray.get(reference)
    except ray.exceptions.RayError as lost:
        raise DetreduceError(f"Ray could not do a part of the work: {lost}") from lost
    if error:
        raise DetreduceError(error)
    return result
