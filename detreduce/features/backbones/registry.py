"""The registry of backbones, by name."""

from __future__ import annotations

from detreduce.errors import InputError, nearest
from detreduce.features.backbones.base import Backbone

REGISTRY: dict[str, type[Backbone]] = {}


def register(backbone: type[Backbone]) -> type[Backbone]:
    """Register a backbone class under the name in its `family`. Use this function as a class decorator."""
    REGISTRY[backbone.family] = backbone
    return backbone


def backbone_names() -> list[str]:
    """Return the names of all backbones, for example ``yolo:<weights.pt>``. The text in ``<…>`` is a placeholder."""
    return [family + (f":{kind.takes}" if kind.takes else "") for family, kind in REGISTRY.items()]


def make_backbone(name: str, imgsz: int | None = None) -> Backbone:
    """Create the backbone with this name.

    Raise InputError if the name is unknown. The message suggests the most similar known name.
    """
    family, colon, argument = name.partition(":")
    kind = REGISTRY.get(family)
    if kind is None:
        known = ", ".join([*backbone_names(), "file:<vectors.npy or .csv>"])
        hint = nearest(family, [*REGISTRY, "file"])
        # import torchvision only now that the name is known to be wrong, because the import takes seconds
        if not colon and family in torchvision_classifiers():
            hint = f" Did you mean 'torchvision:{family}'?"
        raise InputError(f"Unknown backbone {name!r}.{hint} Known backbones: {known}.")
    if bool(kind.takes) != bool(argument) or (colon and not kind.takes):
        raise InputError(
            f"Backbone {name!r} has a wrong form. Write {family + (':' + kind.takes if kind.takes else '')}."
        )
    return kind(name, imgsz)


def torchvision_classifiers() -> list[str]:
    """Return the names of torchvision's classifiers. Calling this function imports torchvision, which takes seconds."""
    from torchvision import models

    # do not list detectors and other models, because they would download more weights
    return models.list_models(module=models)
