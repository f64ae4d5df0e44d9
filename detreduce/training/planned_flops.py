"""Count the operations of a training before it starts, and measure how fast this machine performs them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from detreduce.errors import InputError
from detreduce.training.energy import EnergyMeter
from detreduce.training.flops import UNCOUNTABLE, count_flops, floating_tensors
from detreduce.training.record import Flops
from detreduce.training.run.detector_training import cpu_threads, load_network
from detreduce.training.run.model import find_model
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

LEAST_SECONDS, BATCH = 3.0, 8
"""The shortest time for measuring the speed, in seconds, and the number of images in a batch."""
OVERHEAD = 1.3
"""Cost of a training relative to its forward and backward passes. The rest is reading images, loss and optimiser."""


class PlannedNetwork:
    """The network of a training that has not started, built for the number of classes in the dataset.

    The constructor raises InputError if the model cannot be read.
    """

    def __init__(self, model: str, classes: int) -> None:
        quiet_ultralytics()
        found = load_network(find_model(model))
        own = found.model
        if not hasattr(own, "yaml"):
            raise InputError(f"{model} is not a network that can be trained. Use a YOLO model.")
        # the number of classes changes the width of the head, and loading weights may change it back
        made = type(own)({**deepcopy(own.yaml), "nc": classes}, nc=classes, verbose=False)
        if found.ckpt:
            made.load(own, verbose=False)
        self.model = model
        self._network = made.float().train()
        self.layers = len(self._network.model)

    def flops(self, size: int, freeze: int | Sequence[int] | None = None) -> Flops:
        """Return the number of operations for one square image of `size` pixels. Frozen layers have no backward pass.

        Raise InputError if the operations cannot be counted.
        """
        import torch

        network = self._frozen(freeze).to("meta")
        try:
            return count_flops(network, torch.empty(2, 3, size, size, device="meta"))
        except UNCOUNTABLE as error:
            raise InputError(
                f"{self.model}: the operations for an image of {size} px cannot be counted ({error}). Use an image "
                "size that is a multiple of 32, and a YOLO model."
            ) from error

    def _frozen(self, freeze: int | Sequence[int] | None) -> Any:
        """Return a copy of the network with frozen layers, frozen in the same way as in ultralytics' trainer."""
        network = deepcopy(self._network)
        layers = range(freeze) if isinstance(freeze, int) else freeze or ()
        for name, parameter in network.named_parameters():
            fixed = ".dfl" in name or any(name.startswith(f"model.{layer}.") for layer in layers)
            parameter.requires_grad_(not fixed)
        return network

    def speed(self, size: int, freeze: int | Sequence[int] | None, *, country: str, device: Any = None) -> Speed:
        """Run forward and backward passes on random images for a few seconds, and return how much time and energy they
        take.
        """
        import torch
        from ultralytics.utils.torch_utils import select_device

        each = self.flops(size, freeze)
        place = select_device(device or "", verbose=False)
        network = self._frozen(freeze).to(place)
        images = torch.rand(BATCH, 3, size, size, device=place)
        meter, passes = EnergyMeter(country), 0
        with cpu_threads():
            _pass(network, images)
            with meter.measure("speed") as energy:
                begun = time.perf_counter()
                while time.perf_counter() - begun < LEAST_SECONDS:
                    _pass(network, images)
                    passes += 1
        done = passes * BATCH * (each.forward + each.backward) / 1e12
        wh = None if energy.wh is None else OVERHEAD * energy.wh / done
        return Speed(OVERHEAD * energy.seconds / done, wh)


@dataclass(frozen=True)
class Speed:
    """The seconds and Wh that this machine needs for 10^12 operations. `wh` is None if the energy cannot be metered."""

    seconds: float
    wh: float | None


def _pass(network: Any, images: Any) -> None:
    """Run one forward and one backward pass."""
    import torch

    with torch.autocast(images.device.type, enabled=images.device.type == "cuda"):
        parts = floating_tensors(network(images))
        total = sum(part.float().sum() for part in parts if part.requires_grad)
    total.backward()
    network.zero_grad(set_to_none=True)
    if images.device.type == "cuda":
        torch.cuda.synchronize()
