"""The device, batch size and threads with which a network runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detreduce.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Running:
    """How to run a network on images. `batch`, `device` and `workers` are parameters of `extract_features`.

    `stop_at_failure` says whether to raise ImageReadError at the first image that cannot be read.
    """

    batch: int | None = None
    device: str | None = None
    workers: int | None = None
    stop_at_failure: bool = False

    def pick_device(self) -> torch.device:
        """Return the torch device, by default a GPU if available. Raise InputError if the device cannot be used."""
        import torch

        if self.device is None:
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(f"cuda:{self.device}" if str(self.device).isdigit() else self.device)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"device={self.device!r} cannot be used: {str(error).splitlines()[0]}.") from None
        return device

    def batch_size(self, device: torch.device, imgsz: int) -> int:
        """Return the number of images in a batch: `batch`, or by default 64 on a GPU and 1 to 16 on a CPU.

        A batch on a CPU has about 1.6 million pixels, so a thread needs about 100 MB.
        """
        if self.batch is not None:
            return self.batch
        return 64 if device.type != "cpu" else max(1, min(16, round(16 * (320 / imgsz) ** 2)))
