"""The backbone of an ultralytics detector, used as a feature extractor."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.errors import InputError
from detreduce.features.backbones.base import Backbone
from detreduce.features.backbones.registry import register
from detreduce.images.decode import Preprocess
from detreduce.ultralytics_bridge.pretrained import find_weights, quiet_ultralytics

if TYPE_CHECKING:
    import torch


@register
class Yolo(Backbone):
    """The backbone of an ultralytics detector. The paper uses these features (YOLOv5m: 768 numbers).

    The layers are those in the `backbone` section of the model's yaml file. For YOLOv5 and YOLOv8, these are layers 0
    to 9, and the last layer is SPPF. For YOLO11 and YOLO26, these are layers 0 to 10, and the last layer is C2PSA.
    """

    family = "yolo"
    takes = "<weights.pt>"
    default_imgsz = 640
    layers = "the backbone section of the model's yaml"

    @property
    def preprocess(self) -> Preprocess:
        """The preprocessing of ultralytics for a single image: letterbox to a multiple of 32, then pixel / 255."""
        return Preprocess(self.imgsz, "letterbox")

    @cached_property
    def weights(self) -> Path:
        """The path of the given weights file, or of the weights of an official model (see `find_weights`)."""
        return find_weights(self.argument)

    def build(self) -> torch.nn.Module:
        """Return the backbone layers of the detector, with batch norms folded into the convolutions."""
        import torch

        quiet_ultralytics()
        from ultralytics.nn.tasks import load_checkpoint

        try:
            model = load_checkpoint(str(self.weights))[0].float().eval()
            count = len(model.yaml["backbone"])
        except Exception as error:  # unpickling raises errors of any kind
            raise InputError(
                f"{self.weights} is not an ultralytics model: {str(error).splitlines()[0][:120]}."
            ) from error
        model.model = model.model[:count]
        if any(layer.f != -1 for layer in model.model):
            raise InputError(f"{self.weights}: the backbone is not a simple chain of layers. Use another backbone.")
        return torch.nn.Sequential(*model.fuse(verbose=False).model)
