from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from detreduce.display.listener import listening
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment import on_ray
from detreduce.experiment import run as run_module
from detreduce.experiment.costs.limits import Limits
from detreduce.experiment.on_ray import run_on_ray
from detreduce.experiment.run import prepare_experiment


class StandInRay:
    """The used parts of Ray. Each task runs in this process when somebody waits for it."""

    class RayError(Exception):
        pass

    def __init__(self, gpus: float) -> None:
        self.exceptions = SimpleNamespace(RayError=self.RayError)
        self.gpus = gpus
        self.up = False
        self.options: dict[str, Any] = {}
        self.canceled: list[Any] = []

    def is_initialized(self) -> bool:
        return self.up

    def init(self, **_: Any) -> None:
        self.up = True

    def shutdown(self) -> None:
        self.up = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0} | ({"GPU": self.gpus} if self.gpus else {})

    def remote(self, function: Callable[..., Any]) -> Any:
        def options(**given: Any) -> Any:
            self.options = given
            return SimpleNamespace(remote=lambda *arguments: (function, arguments))

        return SimpleNamespace(options=options)

    def wait(self, pending: list[Any]) -> tuple[list[Any], list[Any]]:
        return pending[:1], pending[1:]

    def get(self, reference: Any) -> Any:
        function, arguments = reference
        return function(*arguments)

    def cancel(self, reference: Any, *, force: bool) -> None:
        assert force
        self.canceled.append(reference)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch, stand_in_train: Callable[..., Any]) -> StandInRay:
    stand_in = StandInRay(gpus=0)
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    monkeypatch.setitem(sys.modules, "ray.exceptions", stand_in.exceptions)
    monkeypatch.setattr(run_module, "train", stand_in_train)
    on_ray._prepared.cache_clear()
    return stand_in


def test_every_cell_is_a_task_and_the_same_again_has_none(config: Path, ray: StandInRay) -> None:
    said: list[str] = []
    with listening(said.append):
        ledger = run_on_ray(prepare_experiment(config, config.parent / "ledger"))
    assert len(ledger) == 10 and not ray.up
    assert ray.options == {"num_cpus": 1, "num_gpus": 0.0, "max_retries": 0}
    assert sum("images, mAP50" in line for line in said) == 10
    with listening(said.append):
        run_on_ray(prepare_experiment(config, ledger.path))
    assert sum("images, mAP50" in line for line in said) == 10


def test_gpus_by_fraction(config: Path, ray: StandInRay) -> None:
    def run(gpus_per_cell: float | None) -> Any:
        run_on_ray(prepare_experiment(config, config.parent / "ledger"), gpus_per_cell=gpus_per_cell)
        return ray.options["num_gpus"]

    ray.gpus = 2.0
    assert (run(None), run(0.5), run(0)) == (1.0, 0.5, 0)
    with pytest.raises(InputError, match="the cluster has 2"):
        run(3)
    with pytest.raises(InputError, match="gpus_per_cell=-1"):
        run(-1)


def test_a_failed_cell_is_told_and_the_others_are_called_off(
    config: Path, ray: StandInRay, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []

    def breaks(data: Any, **arguments: Any) -> Any:
        done.append(1)
        if len(done) == 3:
            raise DetreduceError("it broke")
        return stand_in_train(data, **arguments)

    monkeypatch.setattr(run_module, "train", breaks)
    prepared = prepare_experiment(config, config.parent / "ledger")
    with pytest.raises(DetreduceError, match="it broke"):
        run_on_ray(prepared)
    assert len(prepared.ledger) == 2 and len(ray.canceled) == 7 and not ray.up


def test_a_dead_worker_and_another_dataset_are_told(
    config: Path, ray: StandInRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare_experiment(config, config.parent / "ledger")
    outcome = on_ray.run_one(prepared.settings.model_dump_json(), str(prepared.ledger.path), "srs-of-another")
    assert "srs-of-another" in outcome.error

    def dies(reference: Any) -> Any:
        raise ray.RayError("the worker died")

    monkeypatch.setattr(ray, "get", dies)
    with pytest.raises(DetreduceError, match="the worker died"):
        run_on_ray(prepared)


def test_limits_are_refused(config: Path, ray: StandInRay) -> None:
    with pytest.raises(InputError, match="max_hours and max_wh"):
        run_on_ray(prepare_experiment(config, config.parent / "ledger"), Limits(hours=1))
    assert not (config.parent / "ledger").exists()


def test_without_ray_the_command_is_named(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'pip install "detreduce\[ray\]"'):
        run_on_ray(prepare_experiment(config, config.parent / "ledger"))


def test_on_this_machine_by_ray_itself(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = pytest.importorskip("ray")
    # the workers of Ray are other processes, which import this module
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))
    real.init(num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False)
    try:
        monkeypatch.setattr(on_ray, "run_one", _with_stand_in)
        assert len(run_on_ray(prepare_experiment(config, config.parent / "ledger"))) == 10
    finally:
        real.shutdown()


def _with_stand_in(settings: str, ledger: str, key: str) -> Any:
    # in the worker, which has no fixtures
    from conftest import _stand_in_train

    run_module.train = _stand_in_train  # type: ignore[assignment]
    return RUN_ONE(settings, ledger, key)


RUN_ONE = on_ray.run_one
