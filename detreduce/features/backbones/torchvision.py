"""Torchvision classifiers as backbones: the networks without their classification heads."""

from __future__ import annotations

import contextlib
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.errors import InputError, MissingFileError, nearest
from detreduce.features.backbones.base import Backbone
from detreduce.features.backbones.registry import register, torchvision_classifiers
from detreduce.images.decode import Preprocess
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.regular_files import is_regular

if TYPE_CHECKING:
    import torch

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


@register
class Torchvision(Backbone):
    """A torchvision classifier without its head, for example ``torchvision:resnet50`` or ``torchvision:vgg16@my.pt``.

    The part after ``@`` is the path of a local file with a state dict. Without ``@``, torchvision's default weights are
    used. They must already be in torch's hub cache, because detreduce does not download them.
    """

    family = "torchvision"
    takes = "<name>[@state.pt]"
    default_imgsz = 224
    layers = "all convolutions before the pooling"

    def __init__(self, name: str, imgsz: int | None = None) -> None:
        super().__init__(name, imgsz)
        self.model, _, self.state = self.argument.partition("@")
        known = torchvision_classifiers()
        if self.model not in known:
            raise InputError(f"Unknown torchvision classifier {self.model!r}.{nearest(self.model, known)}")
        import torch

        # check the architecture now, before the user downloads its weights; networks that need real values are checked
        # in `build`
        with contextlib.suppress(NotImplementedError), warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            self._body(self._network())

    def _body(self, network: torch.nn.Module) -> torch.nn.Module:
        body = _convolutional_part(network)
        if body is None:
            raise InputError(
                f"{self.name}: detreduce does not know which layer of this classifier makes the feature map. "
                "Use for example a ResNet, MobileNet, EfficientNet, RegNet or VGG."
            )
        return body

    def _network(self) -> torch.nn.Module:
        from torchvision.models import get_model

        return get_model(self.model, weights=None, **({"init_weights": False} if "inception" in self.model else {}))

    @property
    def preprocess(self) -> Preprocess:
        """Resize the whole image to a square, and normalise it with the mean and standard deviation of ImageNet."""
        return Preprocess(self.imgsz, "stretch", mean=_IMAGENET_MEAN, std=_IMAGENET_STD)

    @cached_property
    def weights(self) -> Path:
        """The file after ``@`` in the name, or the default weights in torch's hub cache."""
        if self.state:
            if not is_regular(path := Path(self.state).expanduser()):
                raise MissingFileError(
                    f"{self.state} does not exist. It should contain the weights of {self.name}.{suggest_path(path)}"
                )
            return path
        import torch
        from torchvision.models import get_model_weights

        url = next(iter(get_model_weights(self.model))).url
        with contextlib.suppress(AttributeError):
            url = get_model_weights(self.model).DEFAULT.url
        path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if not is_regular(path):
            raise MissingFileError(
                f"The weights of {self.name} are missing. Download {url} to {path}, "
                f"or use a local file: torchvision:{self.model}@state.pt"
            )
        return path

    @property
    def key(self) -> dict[str, str]:
        """The key of the base class, plus the name of the architecture.

        The name is necessary because the same state dict may fit several architectures.
        """
        return {**super().key, "architecture": self.model}

    def build(self) -> torch.nn.Module:
        """Build the convolutional part of the classifier and load its weights from the state dict.

        If the network can be traced, the batch norms are folded into the convolutions.
        """
        import torch

        network = self._network()
        body = self._body(network)
        try:
            state = torch.load(self.weights, map_location="cpu", weights_only=True)
            for wrapper in ("state_dict", "model"):
                state = state[wrapper] if isinstance(state.get(wrapper), dict) else state
            state = {key.removeprefix("module."): value for key, value in state.items()}
            own = {key: value for key, value in network.state_dict().items() if value.data_ptr() in _pointers(body)}
            missing = [key for key in own if key not in state or state[key].shape != own[key].shape]
        except Exception as error:
            raise InputError(
                f"{self.weights} is not a state dict of {self.model}: the file is damaged or does not contain named "
                "tensors. Write the state dict with torch.save(network.state_dict(), ...)."
            ) from error
        if missing:
            raise InputError(f"{self.weights} does not fit {self.model}: {missing[0]} is missing or has another shape.")
        network.load_state_dict({key: state[key] for key in own}, strict=False)
        return _fold_all(body.eval())


def _pointers(module: torch.nn.Module) -> set[int]:
    return {value.data_ptr() for value in module.state_dict().values()}


def _convolutional_part(network: torch.nn.Module) -> torch.nn.Module | None:
    """Return the layers that compute the feature map, or None if the architecture is unknown."""
    import torch

    parts = dict(network.named_children())
    if "layer4" in parts:
        names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        return torch.nn.Sequential(*(parts[name] for name in names))
    if "trunk_output" in parts:
        return torch.nn.Sequential(parts["stem"], parts["trunk_output"])
    if "features" in parts and "permute" not in parts:  # Swin's feature map has its channels last
        return parts["features"]
    return None


def _fold_all(module: torch.nn.Module) -> torch.nn.Module:
    """Fold the batch norms into the convolutions, or return the module unchanged if it cannot be traced."""
    from torch.fx.experimental.optimization import fuse

    try:
        return fuse(module)
    # tracing fails on code that depends on the data; the unfused network is slower but gives the same result
    except Exception:
        return module
