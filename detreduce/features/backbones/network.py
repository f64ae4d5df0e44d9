"""A backbone's network on a device: images in, feature maps out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from detreduce.images.decode import Preprocess

if TYPE_CHECKING:
    import torch


class Network:
    """A backbone's network on a device, at a precision: uint8 images in, feature maps out."""

    def __init__(
        self, module: torch.nn.Module, preprocess: Preprocess, device: torch.device, dtype: torch.dtype
    ) -> None:
        import torch

        self.device, self.dtype = device, dtype
        self.module = module.to(device=device, dtype=dtype, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._mean = torch.tensor(preprocess.mean, device=device, dtype=torch.float32).view(1, 3, 1, 1)
        self._scale = (1 / torch.tensor(preprocess.std, device=device, dtype=torch.float64)).float().view(1, 3, 1, 1)
        self._centred = any(preprocess.mean)

    def tensor(self, batch: torch.Tensor) -> torch.Tensor:
        """(b, h, w, 3) uint8 to the normalised (b, 3, h, w) input, channels last as it lies in memory."""
        import torch

        pixels = batch.to(self.device, non_blocking=True).permute(0, 3, 1, 2).to(torch.float32)
        if self._centred:
            pixels -= self._mean
        pixels *= self._scale
        return pixels.to(self.dtype)

    def feature_map(self, batch: torch.Tensor) -> torch.Tensor:
        """(b, h, w, 3) uint8 RGB, resized by the backbone's preprocessing, to its (b, c, h', w') feature map."""
        import torch

        # TF32 keeps 10 bits, and float32 must mean float32. These flags belong to the process, not to a thread
        cuda = self.device.type == "cuda"
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if cuda else contextlib.nullcontext()
        with torch.inference_mode(), exact:
            return self.module(self.tensor(batch))

    @staticmethod
    def pool(feature_map: torch.Tensor) -> torch.Tensor:
        """Average over the map, summed in float32: (b, c, h, w) to (b, c)."""
        import torch

        return feature_map.mean(dim=(2, 3), dtype=torch.float32)
