"""Features: vectors that describe images and boxes.

They come from a network, from the boxes or from a proxy training.
"""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

# these names are imported at first use, because the command line imports this package and often needs no OpenCV
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
