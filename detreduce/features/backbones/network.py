"""A backbone's network on a device, ready to turn images into feature maps."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from detreduce.images.decode import Preprocess

if TYPE_CHECKING:
    import torch


class Network:
    """A backbone's network on one device and in one precision. It turns uint8 images into feature maps."""

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
        """Convert uint8 images (b, h, w, 3) to normalised input (b, 3, h, w) in the channels-last memory format."""
        import torch

        pixels = batch.to(self.device, non_blocking=True).permute(0, 3, 1, 2).to(torch.float32)
        if self._centred:
            pixels -= self._mean
        pixels *= self._scale
        return pixels.to(self.dtype)

    def feature_map(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the feature map (b, c, h', w') of uint8 RGB images (b, h, w, 3) that already have the size of the
        input.
        """
        import torch

        # switch off TF32, which keeps only 10 bits of precision; the flags apply to the whole process, not to one
        # thread
        cuda = self.device.type == "cuda"
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if cuda else contextlib.nullcontext()
        with torch.inference_mode(), exact:
            return self.module(self.tensor(batch))

    @staticmethod
    def pool(feature_map: torch.Tensor) -> torch.Tensor:
        """Average each channel of a feature map (b, c, h, w) over all positions, summing in float32. Return (b, c)."""
        import torch

        return feature_map.mean(dim=(2, 3), dtype=torch.float32)
