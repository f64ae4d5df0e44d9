"""Warm up before a training: import modules, choose kernels and create the GPU's context.

Otherwise the first training in a process would include the time and energy of the warm-up.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
from typing import Any

# ultralytics and torch's optimisers import these modules only after a training has started
_LATE_MODULES = ("ultralytics.data.build", "ultralytics.data.augment", "ultralytics.utils.loss", "torch._dynamo")
_SIDE = 64


def warm_up(network: Any, device: Any = None) -> None:
    """Import what a training needs, and take one step with a copy of the network. Weights and seeds do not change.

    `network` is an ultralytics ``YOLO``, and `device` is the argument of ``YOLO.train``. Errors are ignored here,
    because the training itself will report them.
    """
    for name in _LATE_MODULES:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        _one_step(network.model, device)


def _one_step(model: Any, device: Any) -> None:
    """Take one training step with a copy of the model, with a learning rate of 0."""
    import torch
    from ultralytics.utils.torch_utils import select_device

    place = select_device("" if device is None else device, verbose=False)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        trial = copy.deepcopy(model).float().to(place).train()
        trial.requires_grad_(True)
        optimizer = torch.optim.AdamW(trial.parameters(), lr=0.0)
        sum(part.float().sum() for part in _tensors(trial(torch.zeros(2, 3, _SIDE, _SIDE, device=place)))).backward()
        optimizer.step()


def _tensors(value: Any) -> list[Any]:
    """Return all tensors with a gradient in the nested output of a network."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for part in value for tensor in _tensors(part)]
    return [value] if getattr(value, "requires_grad", False) else []
