"""Read a detector from a weights file of ultralytics without running code from the file.

The file is a pickle. Torch's restricted unpickler reads it and allows only the layer classes of torch and ultralytics.
A malicious file can set the attributes of layers, but it cannot call anything, not even the constructor of a layer.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from detreduce.errors import InputError
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

_PLACES = ("torch.nn.modules.", "ultralytics.nn.modules.", "ultralytics.nn.tasks.")
_TASK = "detect"


def load_plain(file: Path) -> Any:
    """Load the network in a weights file. Return an object with `model` and `task`, like ultralytics' ``YOLO``.

    Raise InputError if the file is damaged or not an ultralytics model. Also raise it if the file contains anything but
    tensors, plain values and layers.
    """
    quiet_ultralytics()
    import torch

    try:
        if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):
            raise InputError("reading weights without running code needs torch 2.6 or newer. Update torch.")
        names = torch.serialization.get_unsafe_globals_in_checkpoint(str(file))
        layers = {name: _layer(name) for name in names}
        stand_ins = {name: _without_constructor(layer) for name, layer in layers.items()}
        allowed: list[Any] = [(stand_in, name) for name, stand_in in stand_ins.items()]
        with torch.serialization.safe_globals(allowed):
            content = torch.load(file, map_location="cpu", weights_only=True)
        model = content.get("ema") or content["model"]
        real = {stand_ins[name]: layer for name, layer in layers.items()}
        for module in model.modules():
            module.__class__ = real[type(module)]
            if hasattr(module, "inplace"):
                module.inplace = True
        given = content.get("train_args") or {}
        model.args = {name: value for name, value in given.items() if isinstance(value, float | int)}
        return SimpleNamespace(model=model.float(), task=given.get("task", _TASK))
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    except Exception as error:  # a damaged or malicious file can raise any kind of error
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{file} is not a detector that can be read without running code ({reason}).") from error


def _layer(name: str) -> type:
    """Return the class of a layer, given its full name. Raise InputError if it is not a layer of torch or
    ultralytics.
    """
    from torch.nn import Module

    place, _, own = name.rpartition(".")
    found = None
    if name.startswith(_PLACES):
        found = getattr(importlib.import_module(place), own, None)
    if not (isinstance(found, type) and issubclass(found, Module)):
        raise InputError(
            f"the weights contain {name}, which is not a layer of torch or ultralytics. Loading them could run code. "
            "Train the proxy again (detreduce proxy)."
        )
    return found


def _without_constructor(layer: type) -> type:
    """Return a subclass of a layer whose constructor always fails, because some constructors evaluate text as code."""

    def refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
        """Raise InputError instead of running the layer."""
        raise InputError(f"the weights call {layer.__name__}, and this could run code.")

    return type(layer.__name__, (layer,), {"__init__": refuse})
