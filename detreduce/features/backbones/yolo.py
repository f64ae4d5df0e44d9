"""Backbones made from ultralytics detectors: the first layers of a detector compute the features."""

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
    """The backbone of an ultralytics detector. The paper uses these features (YOLOv5m: 768 numbers per image).

    The layers are those that the model's yaml file lists in its section `backbone`. For YOLOv5 and YOLOv8, these are
    the layers 0 to 9, up to SPPF. For YOLO11 and YOLO26, they are the layers 0 to 10, up to C2PSA.
    """

    family = "yolo"
    takes = "<weights.pt>"
    default_imgsz = 640
    layers = "the backbone section of the model's yaml"

    @property
    def preprocess(self) -> Preprocess:
        """Letterbox the image to a multiple of 32 and divide by 255, as ultralytics does for a single image."""
        return Preprocess(self.imgsz, "letterbox")

    @cached_property
    def weights(self) -> Path:
        """The weights file that the name gives. The name of an official model is resolved by `find_weights`."""
        return find_weights(self.argument)

    def build(self) -> torch.nn.Module:
        """Build the backbone layers of the detector, with the batch norms folded into the convolutions."""
        import torch

        quiet_ultralytics()
        from ultralytics.nn.tasks import load_checkpoint

        try:
            model = load_checkpoint(str(self.weights))[0].float().eval()
            count = len(model.yaml["backbone"])
        except Exception as error:  # unpickling can raise any kind of error
            raise InputError(
                f"{self.weights} is not an ultralytics model: {str(error).splitlines()[0][:120]}."
            ) from error
        model.model = model.model[:count]
        if any(layer.f != -1 for layer in model.model):
            raise InputError(f"{self.weights}: the backbone is not a simple chain of layers. Use another backbone.")
        return torch.nn.Sequential(*model.fuse(verbose=False).model)
