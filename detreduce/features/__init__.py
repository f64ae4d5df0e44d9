"""Features: vectors that describe images and boxes, from a backbone, the annotations or a proxy training."""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

# imported at first use: the command line imports this package and often does not need OpenCV
__getattr__ = import_at_first_use(
    __name__,
    {
        "extract_features": "detreduce.features.extract",
        "FeatureTable": "detreduce.features.table",
        "scale_block": "detreduce.features.table",
        "Backbone": "detreduce.features.backbones",
        "backbone_names": "detreduce.features.backbones",
        "register": "detreduce.features.backbones",
    },
)
__all__ = ["Backbone", "FeatureTable", "backbone_names", "extract_features", "register", "scale_block"]
