"""Where and how a network runs: device, batch size, threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detreduce.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Running:
    """How to run a network over images; the fields `batch`, `device` and `workers` are those of `extract_features`.

    `stop_at_failure`: raise ImageReadError at the first image that cannot be read.
    """

    batch: int | None = None
    device: str | None = None
    workers: int | None = None
    stop_at_failure: bool = False

    def pick_device(self) -> torch.device:
        """Return the torch device, by default a GPU if there is one; raise InputError if it cannot be used."""
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
        """Return `batch`, else 64 on a GPU; on a CPU about 1.6 million pixels, so that a thread needs about 100 MB."""
        if self.batch is not None:
            return self.batch
        return 64 if device.type != "cpu" else max(1, min(16, round(16 * (320 / imgsz) ** 2)))
