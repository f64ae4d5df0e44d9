"""The device, the batch size and the number of threads with which a network runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.images.alongside import Alongside

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Running:
    """How to run a network on images: device, batch size and threads. `extract_features` documents these parameters.

    The vector of an image must not depend on the other images in its batch. However, rounding errors depend on the
    batch size, on the number of threads and sometimes on the position in the batch. Therefore, a CPU computes one image
    at a time on one thread, and several such computations run in parallel. Other devices need batches to be fast.
    There, all batches have the same size, and the last batch is padded.

    `stop_at_failure` says whether to raise ImageReadError at the first image that cannot be read. If `alongside` is
    given, it computes a second vector from each frame of a video (see `Alongside`).
    """

    batch: int | None = None
    device: str | None = None
    workers: int | None = None
    stop_at_failure: bool = False
    alongside: Alongside | None = None

    def pick_device(self) -> torch.device:
        """Return the torch device, by default a GPU if one is available.

        Raise InputError if the device cannot be used.
        """
        import torch

        if self.device is None:
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(f"cuda:{self.device}" if str(self.device).isdigit() else self.device)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"device={self.device!r} cannot be used: {str(error).splitlines()[0]}.") from None
        return device

    def batch_size(self, device: torch.device) -> int:
        """Return the number of images in each forward pass: 1 on a CPU; otherwise `batch`, which is 64 by default."""
        return 1 if device.type == "cpu" else self.batch or 64

    def forward(self, device: torch.device) -> str:
        """Describe how forward passes run on a device, for example ``cuda, 64 images at a time``.

        This text is part of the cache key, because the last digits of a vector depend on it.
        """
        if device.type == "cpu":
            return "cpu, one image at a time on one thread"
        return f"{device.type}, {counted(self.batch_size(device), 'image')} at a time"
