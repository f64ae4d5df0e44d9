"""The loss of each image, and weights in the gradient, with ultralytics' own networks."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from detreduce.errors import InputError
from detreduce.training.run.detector_training import load_network
from detreduce.training.run.image_losses import WeightedLoss, check_weightable

FILES = ["a.jpg", "b.jpg", "c.jpg"]


def network(name: str) -> Any:
    torch.manual_seed(0)
    model = load_network(name).model
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5, epochs=4)
    # layers that normalise over the batch would let the images depend on each other
    model.train().requires_grad_(True)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eval()
    return model


def a_batch(rows: Sequence[int]) -> dict[str, Any]:
    """Image 0 has two boxes, image 1 one box and image 2 none."""
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    owner = torch.tensor([0, 0, 1])
    boxes = torch.tensor([[0.3, 0.3, 0.4, 0.4], [0.7, 0.6, 0.3, 0.5], [0.5, 0.5, 0.6, 0.6]])
    classes = torch.tensor([[0.0], [3.0], [1.0]])
    chosen = [(place, box) for place, row in enumerate(rows) for box in range(3) if owner[box] == row]
    own = [box for _, box in chosen]
    return {
        "img": images[list(rows)],
        "im_file": [FILES[row] for row in rows],
        "batch_idx": torch.tensor([float(place) for place, _ in chosen]),
        "cls": classes[own],
        "bboxes": boxes[own],
    }


def gradient(model: Any, rows: Sequence[int], weights: Sequence[float]) -> tuple[torch.Tensor, float, dict[str, float]]:
    """Return the gradient of all parameters, the loss of the batch, and the losses of its images."""
    reported: dict[str, float] = {}
    criterion = WeightedLoss(
        model.init_criterion(),
        lambda files: np.array(weights, float),
        lambda files, losses: reported.update(zip(files, losses, strict=True)),
    )
    batch = a_batch(rows)
    model.zero_grad(set_to_none=True)
    loss = criterion(model(batch["img"]), batch)[0].sum()
    loss.backward()
    parts = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in model.parameters()]
    return torch.cat(parts), float(loss.detach()), reported


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolo26n.yaml"])
def test_the_loss_of_an_image_is_its_loss_in_a_batch_of_its_own(name: str) -> None:
    model = network(name)
    together = gradient(model, [0, 1, 2], [1, 1, 1])[2]
    assert list(together) == FILES
    for row in range(3):
        _, loss, alone = gradient(model, [row], [1])
        assert alone[FILES[row]] == pytest.approx(loss, rel=1e-5)
        assert together[FILES[row]] == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolo26n.yaml"])
def test_an_image_of_weight_two_counts_twice(name: str) -> None:
    model = network(name)
    plain, loss, _ = gradient(model, [0, 1, 2], [1, 1, 1])
    parts = [gradient(model, [0, 1, 2], [float(row == other) for other in range(3)])[0] for row in range(3)]
    assert all(float(part.norm()) > 0 for part in parts)
    assert torch.allclose(sum(parts), plain, rtol=1e-3, atol=1e-4 * float(plain.abs().max()))
    weighted, same_loss, _ = gradient(model, [0, 1, 2], [1, 2, 0])
    expected = parts[0] + 2 * parts[1]
    assert torch.allclose(weighted, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert same_loss == pytest.approx(loss), "the value that is shown is not weighted"


def test_without_weights_the_gradient_is_that_of_ultralytics() -> None:
    model = network("yolov8n.yaml")
    batch = a_batch([0, 1, 2])
    model.zero_grad(set_to_none=True)
    model.init_criterion()(model(batch["img"]), batch)[0].sum().backward()
    own = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    found = gradient(model, [0, 1, 2], [1, 1, 1])[0]
    assert torch.allclose(found[found != 0], own[own != 0])


def test_other_losses_are_refused() -> None:
    check_weightable(load_network("yolov8n.yaml"))
    for name in ("yolov8n-seg.yaml", "yolov8n-obb.yaml"):
        with pytest.raises(InputError, match="infobatch"):
            check_weightable(load_network(name))
