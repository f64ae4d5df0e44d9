"""The registry of backbones, by name."""

from __future__ import annotations

from detreduce.errors import InputError, nearest
from detreduce.features.backbones.base import Backbone

REGISTRY: dict[str, type[Backbone]] = {}


def register(backbone: type[Backbone]) -> type[Backbone]:
    """Register a backbone class under its `family`. Use this function as a class decorator."""
    REGISTRY[backbone.family] = backbone
    return backbone


def backbone_names() -> list[str]:
    """Return the names that `make_backbone` accepts, with a placeholder for the part after the colon."""
    return [family + (f":{kind.takes}" if kind.takes else "") for family, kind in REGISTRY.items()]


def make_backbone(name: str, imgsz: int | None = None) -> Backbone:
    """Return the backbone with this name. Raise InputError for an unknown name and suggest the nearest known name."""
    family, colon, argument = name.partition(":")
    kind = REGISTRY.get(family)
    if kind is None:
        known = ", ".join([*backbone_names(), "file:<vectors.npy or .csv>"])
        hint = nearest(family, [*REGISTRY, "file"])
        # importing torchvision takes seconds, so import it only for a wrong name
        if not colon and family in torchvision_classifiers():
            hint = f" Did you mean 'torchvision:{family}'?"
        raise InputError(f"Unknown backbone {name!r}.{hint} Known backbones: {known}.")
    if bool(kind.takes) != bool(argument) or (colon and not kind.takes):
        raise InputError(
            f"Backbone {name!r} has a wrong form. Write {family + (':' + kind.takes if kind.takes else '')}."
        )
    return kind(name, imgsz)


def torchvision_classifiers() -> list[str]:
    """Return the names of torchvision's classifiers. This imports torchvision, which takes seconds."""
    from torchvision import models

    # list this module only: detectors and other models would download more weights
    return models.list_models(module=models)
