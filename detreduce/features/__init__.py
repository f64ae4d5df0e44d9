"""Features: vectors that describe images and boxes, from a backbone, the annotations or a proxy training."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# imported at first use: the command line imports this package and often does not need OpenCV
_HOMES = {
    "extract_features": "detreduce.features.extract",
    "FeatureTable": "detreduce.features.table",
    "scale_block": "detreduce.features.table",
    "Backbone": "detreduce.features.backbones",
    "backbone_names": "detreduce.features.backbones",
    "register": "detreduce.features.backbones",
}
__all__ = ["Backbone", "FeatureTable", "backbone_names", "extract_features", "register", "scale_block"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
