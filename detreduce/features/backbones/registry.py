"""The backbones by name."""

from __future__ import annotations

from detreduce.errors import InputError, nearest
from detreduce.features.backbones.base import Backbone

REGISTRY: dict[str, type[Backbone]] = {}


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
        if not colon and family in torchvision_classifiers():
            hint = f" Did you mean 'torchvision:{family}'?"
        raise InputError(f"no backbone {name!r}.{hint} Known: {known}.")
    if bool(kind.takes) != bool(argument) or (colon and not kind.takes):
        raise InputError(f"backbone {name!r}: write it as {family + (':' + kind.takes if kind.takes else '')}.")
    return kind(name, imgsz)


def torchvision_classifiers() -> list[str]:
    """Return the names of torchvision's classifiers; importing torchvision takes seconds."""
    from torchvision import models

    # of this module only: detectors and others would fetch weights of their own
    return models.list_models(module=models)
