"""Read the tensors in a weights file of ultralytics without running code from the file.

A weights file is a pickle of a whole network. This module replaces every class in the pickle with an empty stand-in, so
that no code of these classes runs. Only the torch functions that create tensors are called. The result is the state
dict of the network.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from detreduce.errors import InputError

_ALLOWED = {
    ("collections", "OrderedDict"),
    ("torch", "Size"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("builtins", "set"),
    ("__builtin__", "set"),
}


class _StandIn:
    """Stands in for an object of any class. It stores the attributes of the object, but runs none of the code of its
    class.
    """

    def __new__(cls, *_: Any, **__: Any) -> _StandIn:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """Ignore an item that the pickle appends to a list-like object."""

    def extend(self, items: Any) -> None:
        """Ignore the items that the pickle appends to a list-like object."""


class _Unpickler(pickle.Unpickler):
    """An unpickler that creates tensors, and a `_StandIn` for every other object."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed class, or a stand-in for any other class."""
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        return type("StandIn", (_StandIn,), {})


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise ValueError("it is not a zip archive")


_PICKLE = SimpleNamespace(Unpickler=_Unpickler, load=_refuse, Pickler=pickle.Pickler, __name__="detreduce_tensors")
"""The parts of the module `pickle` that torch uses. Torch calls `load` if a file does not begin as a zip archive."""


def read_state(file: Path) -> dict[str, Any]:
    """Return the state dict of the network in a weights file of ultralytics: name -> tensor on the CPU.

    Raise InputError if the file is damaged or is not such a weights file.
    """
    import torch

    try:
        with zipfile.ZipFile(file) as archive:
            # torch.load treats a TorchScript archive differently
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise ValueError("it is a TorchScript archive")
        content = torch.load(file, map_location="cpu", weights_only=False, pickle_module=_PICKLE)
        network = content.get("ema") or content["model"]
        found = dict(_tensors(network, ""))
    except Exception as error:  # a damaged file can raise any kind of error
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{file} does not have the weights of a network ({type(error).__name__}: {reason})."
        ) from error
    if not found:
        raise InputError(f"{file} does not have the weights of a network.")
    return found


def _tensors(module: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value of each tensor of a network, with the names that its state dict uses."""
    import torch

    attributes = module.attributes
    transient = attributes.get("_non_persistent_buffers_set") or set()
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _items(attributes.get(kind)):
            if isinstance(tensor, _StandIn):
                raise ValueError(f"the tensor {prefix}{name} is of a kind that is not known")
            if isinstance(tensor, torch.Tensor) and not (kind == "_buffers" and name in transient):
                yield f"{prefix}{name}", tensor.detach()
    for name, part in _items(attributes.get("_modules")):
        if isinstance(part, _StandIn):
            yield from _tensors(part, f"{prefix}{name}.")


def _items(content: Any) -> list[tuple[str, Any]]:
    return list(content.items()) if isinstance(content, dict | OrderedDict) else []
