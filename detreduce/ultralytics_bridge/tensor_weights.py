"""Store the weights of a detector as tensors only. Unlike ultralytics' pickles, such a file cannot run code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.machine.files import write_atomically
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

SUFFIX = ".tensors"
GAINS = ("box", "cls", "dfl")
"""Names of the gains (weights) of the parts of ultralytics' loss. Gradients of the loss depend on them."""


def save_tensors(weights: Path, target: Path) -> None:
    """Write the tensors and the loss gains of an ultralytics weights file to the file `target`.

    This function unpickles `weights`, which can run code. Call it only for weights that this process has made. Raise
    InputError if the file is not an ultralytics model, and DetreduceError if `target` cannot be written. After an
    error, there is no partial file.
    """
    import torch

    model = open_model(str(weights)).model
    given = model.args if isinstance(model.args, dict) else vars(model.args)
    gains = {name: float(given[name]) for name in GAINS if name in given}
    content = {"state": model.state_dict(), "gains": gains}
    write_atomically(target, lambda file: torch.save(content, file))


def load_tensors(file: Path, model: str, n_classes: int) -> Any:
    """Return ultralytics' ``YOLO`` with the tensors in a file that `save_tensors` wrote.

    Parameters
    ----------
    file
        The file with the tensors. It is read without unpickling objects.
    model
        The model from which the training started, as the argument of ``YOLO(...)``. It determines the layers of the
        network. If it is a weights file, it is unpickled, which can run code. Therefore only pass a file that the user
        has named.
    n_classes
        Number of classes of the dataset.

    Raises
    ------
    InputError
        The file is damaged, is an ordinary pickle, or does not fit the model or the number of classes.
    """
    import torch

    network = open_model(model)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        gains = {name: float(value) for name, value in content["gains"].items() if name in GAINS}
        if not all(math.isfinite(value) for value in gains.values()):
            raise ValueError("a gain is not finite")
        built = type(network.model)(deepcopy(network.model.yaml), nc=n_classes, verbose=False)
        built.load_state_dict(content["state"])
    except Exception as error:  # a damaged file can raise any kind of error
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{file} does not have the weights of {Path(model).name} with "
            f"{counted(n_classes, 'class', 'classes')} ({reason}). Delete its "
            "folder to train the proxy again."
        ) from error
    built.args = gains
    network.model = built
    return network


def build_network(model: str, state: Mapping[str, Any], class_names: Sequence[str]) -> Any:
    """Return a network with the layers of `model`, the classes `class_names` and the tensors of a state dict.

    `model` is the model from which the training started, as the argument of ``YOLO(...)``. If it is a weights file, it
    is unpickled, which can run code. Therefore only pass a file that the user has named. Raise InputError if the
    tensors do not fit the layers.
    """
    start = open_model(model).model
    try:
        channels = next(iter(state.values())).shape[1] if state else 3
        network = type(start)(deepcopy(start.yaml), ch=channels, nc=len(class_names), verbose=False)
        network.load_state_dict(state)
    except Exception as error:  # tensors that do not fit the layers raise several kinds of error
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"The weights do not fit {Path(model).name} with {counted(len(class_names), 'class', 'classes')} "
            f"({reason})."
        ) from error
    network.names = dict(enumerate(class_names))
    return network


def open_model(model: str) -> Any:
    """Return ultralytics' ``YOLO`` for `model`, a name or a path. Raise InputError if the model cannot be read."""
    quiet_ultralytics()
    from ultralytics import YOLO

    try:
        return YOLO(model)
    except Exception as error:  # unpickling can raise any kind of error
        raise InputError(f"{model} is not an ultralytics model: {str(error)[:120]}.") from error
