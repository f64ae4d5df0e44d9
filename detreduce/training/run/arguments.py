"""Check ultralytics' training arguments before the training starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from detreduce.errors import InputError, nearest

# arguments of ultralytics that detreduce sets itself -> what the user should do instead
RESERVED = {
    "model": "use model=",
    "data": "pass the dataset as the first argument",
    "project": "use output= for the run folder",
    "name": "use output= for the run folder",
    "save_dir": "use output= for the run folder",
    "exist_ok": "a run folder is never overwritten, so use another output=",
    "mode": "this function always trains",
    "task": "the model determines it",
    "val": 'use choose="best" to validate after each epoch',
    "split": "use evaluate_on=",
    "resume": "a stopped training cannot be resumed, so start it again",
    "cfg": "pass its arguments by name",
    "fraction": "fraction takes the first files in name order, so choose images with detreduce.select",
    "seed": "use seed=",
    "save": "the weights are always kept, because they are evaluated",
}

RESERVED_BY_PROXY = {
    **RESERVED,
    **dict.fromkeys(
        ("project", "name", "save_dir", "exist_ok"), "a proxy training keeps only its log and its weights, at output="
    ),
    "val": "a proxy is not validated, but it predicts on every training image after each epoch",
    "split": "a proxy is always trained on the train split",
}

OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSprop")

ALIASES = {
    "learning_rate": "lr0",
    "lr": "lr0",
    "batch_size": "batch",
    "batchsize": "batch",
    "image_size": "imgsz",
    "img_size": "imgsz",
    "img": "imgsz",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "num_workers": "workers",
    "wd": "weight_decay",
    "optim": "optimizer",
}
"""Name of an argument in other tools -> ultralytics' name for it."""
DEFAULTS: dict[str, Any] = {"plots": False, "deterministic": True}


def check_arguments(given: Mapping[str, Any], reserved: Mapping[str, str] = RESERVED) -> dict[str, Any]:
    """Check arguments for ultralytics. Return them, together with detreduce's defaults for the missing arguments.

    `reserved` maps the name of each argument that is not allowed to advice for the user. The first call imports
    ultralytics, which takes seconds. Raise InputError if a name is unknown or reserved, if `device` lists several
    devices, or if ultralytics does not accept a value.
    """
    from ultralytics.cfg import get_cfg
    from ultralytics.utils import DEFAULT_CFG_DICT

    known = set(DEFAULT_CFG_DICT) | {"augmentations"}
    for name in given:
        if name in reserved:
            raise InputError(f"{name}={given[name]!r} cannot be set here: {reserved[name]}.")
        if name not in known:
            hint = f" Did you mean {ALIASES[name]!r}?" if name in ALIASES else nearest(name, known - set(reserved))
            raise InputError(f"Ultralytics has no training argument {name!r}.{hint}")
    arguments = {**DEFAULTS, **given}
    _check_device(arguments.get("device"))
    try:
        get_cfg(overrides={**arguments, "mode": "train"})
    except (TypeError, ValueError, SyntaxError) as error:
        raise InputError(f"Ultralytics: {_first_sentence(error)}") from None
    arguments.update(_check_values(arguments))
    return arguments


def _check_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Raise InputError if ultralytics would reject a value only later, during the training.

    Return the argument ``optimizer`` in ultralytics' spelling, for example ``{"optimizer": "SGD"}`` for ``sgd``. Return
    an empty dict if the argument is not given.
    """
    for name, value in arguments.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{name}={value!r} must be a finite number.")
    for name in ("epochs", "workers", "imgsz"):
        value, least = arguments.get(name), 0 if name == "workers" else 1
        for number in value if isinstance(value, (list, tuple)) and name == "imgsz" else [value]:
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
                raise InputError(f"{name}={value!r} must be a whole number of at least {least}.")
    batch = arguments.get("batch")
    if batch is not None and not (batch == -1 or 0 < batch < 1 or (batch >= 1 and batch == int(batch))):
        raise InputError(f"batch={batch!r} must be a number of images, -1 (automatic) or a fraction of the GPU memory.")
    optimizer = arguments.get("optimizer")
    if optimizer is None:
        return {}
    known = {name.lower(): name for name in OPTIMIZERS}
    if str(optimizer).lower() not in known:
        hint = nearest(str(optimizer), OPTIMIZERS)
        raise InputError(f"optimizer={optimizer!r} is not one of {', '.join(OPTIMIZERS)}.{hint}")
    return {"optimizer": known[str(optimizer).lower()]}


def _check_device(device: Any) -> None:
    several = isinstance(device, (list, tuple)) and len(device) > 1
    if several or (isinstance(device, str) and "," in device):
        raise InputError(
            f"device={device!r} lists several devices, but detreduce trains on one device. Name one device."
        )


def _first_sentence(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."
