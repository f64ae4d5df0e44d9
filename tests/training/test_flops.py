from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from detreduce.training import flops
from detreduce.training.flops import count_flops, training_flops
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics


def test_a_convolution_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Conv2d(8, 4, 1, bias=False))
    first, second = 2 * 3 * 9 * 8 * 16 * 16, 2 * 8 * 4 * 16 * 16
    images = torch.empty(5, 3, 16, 16)
    found = count_flops(network, images)
    assert found.forward == first + second
    # gradients of both weights, and of the second layer's input; none of the images
    assert found.backward == first + 2 * second
    network[0].weight.requires_grad_(False)
    frozen = count_flops(network, images)
    assert (frozen.forward, frozen.backward) == (first + second, second)


@pytest.fixture(scope="module")
def trainer() -> Any:
    quiet_ultralytics()
    from ultralytics import YOLO

    return SimpleNamespace(model=YOLO("yolov8n.yaml").model, args=SimpleNamespace(imgsz=64), data={})


def test_a_detector_against_the_profiler(trainer: Any) -> None:
    found = training_flops(trainer)
    assert found is not None
    with torch.profiler.profile(with_flops=True) as profile:
        trainer.model.train()(torch.zeros(1, 3, 64, 64))
    # the profiler counts additions of bias and residuals too
    assert found.forward == pytest.approx(sum(event.flops for event in profile.key_averages()), rel=0.01)
    assert 1.8 < found.backward / found.forward < 2.1
    assert trainer.model.model[0].conv.weight.device.type == "cpu"


def test_each_network_is_counted_once(trainer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def noted(network: nn.Module, images: torch.Tensor) -> Any:
        counted.append(images.shape)
        return count_flops(network, images)

    monkeypatch.setattr(flops, "count_flops", noted)
    monkeypatch.setattr(flops, "_COUNTED", {})
    first = training_flops(trainer)
    assert first is not None and training_flops(trainer) == first and len(counted) == 1
    # whatever changes the operations is counted again
    parameters = list(trainer.model.parameters())
    for parameter in parameters[:30]:
        parameter.requires_grad_(False)
    frozen = training_flops(trainer)
    for parameter in parameters[:30]:
        parameter.requires_grad_(True)
    assert frozen is not None and frozen.backward < first.backward and len(counted) == 2
    larger = training_flops(SimpleNamespace(**{**vars(trainer), "args": SimpleNamespace(imgsz=96)}))
    assert larger is not None and larger.forward > 2 * first.forward and len(counted) == 3


def test_what_cannot_be_counted_is_not_made_up(trainer: Any) -> None:
    assert training_flops(SimpleNamespace(model=nn.Module(), args=SimpleNamespace(imgsz=64), data={})) is None
