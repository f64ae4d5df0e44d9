"""Networks that turn an image into a feature map.

To add a network, write a subclass of `Backbone` and import it here.
"""

from detreduce.features.backbones.base import Backbone
from detreduce.features.backbones.efficientnet import EfficientNetLite0
from detreduce.features.backbones.network import Network
from detreduce.features.backbones.registry import REGISTRY, backbone_names, make_backbone, register
from detreduce.features.backbones.torchvision import Torchvision
from detreduce.features.backbones.yolo import Yolo

__all__ = [
    "REGISTRY",
    "Backbone",
    "EfficientNetLite0",
    "Network",
    "Torchvision",
    "Yolo",
    "backbone_names",
    "make_backbone",
    "register",
]
