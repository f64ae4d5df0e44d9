"""Count the floating-point operations for one training image, without performing them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from detreduce.training.record import Flops

METHOD = "torch.utils.flop_counter on the network as trained, one square image"

UNCOUNTABLE = (RuntimeError, NotImplementedError, AttributeError, TypeError, ValueError)
"""Errors that torch raises if it cannot run a network on the meta device."""

_COUNTED: dict[tuple[Any, ...], Flops] = {}
"""Counts of this process. The trainings of an experiment share one network, and a count takes about one second."""


def training_flops(trainer: Any, relative_cost: float = 1.0) -> Flops | None:
    """Return the operations per image of a finished ultralytics trainer, or None if they cannot be counted.

    If the image size grew during the training, pass `relative_cost`: the mean number of operations for an image,
    divided by the number for an image of full size.

    The network runs on torch's meta device, which computes only shapes. As in the training, frozen layers have no
    backward pass.
    """
    import torch

    size = trainer.args.imgsz
    try:
        network = deepcopy(trainer.model).float().train().to("meta")
        for kept, parameter in zip(trainer.model.parameters(), network.parameters(), strict=True):
            parameter.requires_grad_(kept.requires_grad)
        channels = int(trainer.data.get("channels", 3))
        full = _count_once(network, torch.empty(2, channels, size, size, device="meta"))
        return Flops(forward=full.forward * relative_cost, backward=full.backward * relative_cost, method=full.method)
    except UNCOUNTABLE:
        return None


def _count_once(network: Any, images: Any) -> Flops:
    """Return the result of `count_flops`, from a cache if possible.

    Networks share a cached result if they have the same layers, the same frozen layers and the same image size.
    """
    described = getattr(network, "yaml", None)
    if described is None:
        return count_flops(network, images)
    trained = tuple(parameter.requires_grad for parameter in network.parameters())
    # the description says how the layers are connected, and the text says which layers there are
    key = (str(described), str(network), trained, tuple(images.shape))
    if key not in _COUNTED:
        _COUNTED[key] = count_flops(network, images)
    return _COUNTED[key]


def count_flops(network: Any, images: Any) -> Flops:
    """Count the operations of a forward and a backward pass of the network, and divide them by the number of images."""
    from torch.utils.flop_counter import FlopCounterMode

    forward, backward = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with forward:
        outputs = network(images)
    total = sum(part.float().sum() for part in floating_tensors(outputs) if part.requires_grad)
    with backward:
        total.backward()
    count = len(images)
    return Flops(forward=forward.get_total_flops() / count, backward=backward.get_total_flops() / count, method=METHOD)


def floating_tensors(value: Any) -> list[Any]:
    """Return all floating-point tensors in a nested structure of lists, tuples and dicts."""
    import torch

    if isinstance(value, torch.Tensor):
        return [value] if value.is_floating_point() else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for part in parts for tensor in floating_tensors(part)]
