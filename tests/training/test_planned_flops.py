"""The operations of a training before it starts are those that its record counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from detreduce.errors import InputError
from detreduce.training import planned_flops
from detreduce.training.flops import training_flops
from detreduce.training.planned_flops import PlannedNetwork


@pytest.fixture(scope="module")
def network() -> PlannedNetwork:
    return PlannedNetwork("yolov8n.yaml", classes=2)


def as_trained(classes: int, size: int, frozen: int, weights: Any = None) -> Any:
    """Return the operations that ultralytics' own training would have."""
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolov8n.yaml", nc=classes, verbose=False)
    if weights is not None:
        model.load(weights, verbose=False)
    for name, parameter in model.named_parameters():
        layer = int(name.split(".")[1])
        parameter.requires_grad_(layer >= frozen and ".dfl" not in name)
    return training_flops(SimpleNamespace(model=model, args=SimpleNamespace(imgsz=size), data={}))


@pytest.mark.parametrize(("size", "frozen"), [(64, 0), (64, 10), (96, 22)])
def test_planned_operations_are_those_of_the_training(network: PlannedNetwork, size: int, frozen: int) -> None:
    planned, trained = network.flops(size, frozen or None), as_trained(2, size, frozen)
    assert (planned.forward, planned.backward) == (trained.forward, trained.backward)
    assert network.flops(size, list(range(frozen))) == planned
    assert network.layers == 23


def test_pretrained_weights_keep_the_width_of_their_head(shared: Path, network: PlannedNetwork) -> None:
    from ultralytics import YOLO

    file = shared / "weights" / "yolov8n.pt"
    planned, trained = PlannedNetwork(str(file), classes=2).flops(64), as_trained(2, 64, 0, YOLO(file).model)
    assert (planned.forward, planned.backward) == (trained.forward, trained.backward)
    assert planned.forward > network.flops(64).forward


def test_the_speed_is_that_of_the_passes(network: PlannedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned_flops, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(planned_flops, "OVERHEAD", 2.0)
    clock = iter([0.0, -1.0, 1.0])
    monkeypatch.setattr(planned_flops, "time", SimpleNamespace(perf_counter=lambda: next(clock)))

    class Meter:
        def __init__(self, country: str) -> None:
            pass

        def measure(self, phase: str) -> Any:
            from contextlib import nullcontext

            return nullcontext(SimpleNamespace(seconds=3.0, wh=0.5))

    monkeypatch.setattr(planned_flops, "EnergyMeter", Meter)
    found = network.speed(32, 10, country="ESP", device="cpu")
    each = network.flops(32, 10)
    # one pass over a batch of 8
    done = 8 * (each.forward + each.backward) / 1e12
    assert (found.seconds, found.wh) == (pytest.approx(6.0 / done), pytest.approx(1.0 / done))


def test_a_model_that_cannot_be_read() -> None:
    with pytest.raises(InputError):
        PlannedNetwork("yolov99.yaml", classes=2)
