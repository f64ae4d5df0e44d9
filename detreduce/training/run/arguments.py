"""Check ultralytics' training arguments before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detreduce.errors import InputError, nearest

# arguments that detreduce decides, and what to use instead
RESERVED = {
    "model": "give it as model=",
    "data": "give it as the first argument",
    "project": "give the run folder as output=",
    "name": "give the run folder as output=",
    "save_dir": "give the run folder as output=",
    "exist_ok": "a run folder is never overwritten; give another output=",
    "mode": "this function trains",
    "task": "it follows from the model",
    "val": 'validation each epoch comes with choose="best"',
    "split": "use evaluate_on=",
    "resume": "a stopped training starts from the beginning",
    "cfg": "give its arguments by name",
    "fraction": "it takes the first files in name order; choose images with detreduce.select",
    "seed": "give it as seed=",
    "save": "the weights are always kept, since they are evaluated",
}

RESERVED_BY_PROXY = {
    **RESERVED,
    **dict.fromkeys(
        ("project", "name", "save_dir", "exist_ok"), "a proxy keeps its log and weights at output=, nothing else"
    ),
    "val": "a proxy is not validated; it looks at every training image after each epoch",
    "split": "a proxy learns from the train split",
}

OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSprop")

DEFAULTS: dict[str, Any] = {"plots": False, "deterministic": True}


def check_arguments(given: Mapping[str, Any], reserved: Mapping[str, str] = RESERVED) -> dict[str, Any]:
    """Return the arguments for ultralytics: detreduce's defaults, then those given.

    `reserved` maps arguments that cannot be given to what to do instead. The first call imports ultralytics (seconds).
    Raise InputError for unknown or reserved names, several devices, and values that ultralytics refuses now or later.
    """
    from ultralytics.cfg import get_cfg
    from ultralytics.utils import DEFAULT_CFG_DICT

    known = set(DEFAULT_CFG_DICT) | {"augmentations"}
    for name in given:
        if name in reserved:
            raise InputError(f"{name}={given[name]!r} cannot be set here: {reserved[name]}.")
        if name not in known:
            raise InputError(f"Ultralytics has no training argument {name!r}.{nearest(name, known - set(reserved))}")
    arguments = {**DEFAULTS, **given}
    _check_device(arguments.get("device"))
    try:
        get_cfg(overrides={**arguments, "mode": "train"})
    except (TypeError, ValueError, SyntaxError) as error:
        raise InputError(f"Ultralytics: {_first_sentence(error)}") from None
    arguments.update(_check_values(arguments))
    return arguments


def _check_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check what ultralytics would refuse only during a run; return values in its spelling."""
    for name in ("epochs", "workers", "imgsz"):
        value, least = arguments.get(name), 0 if name == "workers" else 1
        for number in value if isinstance(value, (list, tuple)) and name == "imgsz" else [value]:
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
                raise InputError(f"{name}={value!r}: must be a whole number of at least {least}.")
    batch = arguments.get("batch")
    if batch is not None and not (batch == -1 or 0 < batch < 1 or (batch >= 1 and batch == int(batch))):
        raise InputError(f"batch={batch!r}: give a number of images, -1 (automatic) or a fraction of the GPU's memory.")
    optimizer = arguments.get("optimizer")
    if optimizer is None:
        return {}
    known = {name.lower(): name for name in OPTIMIZERS}
    if str(optimizer).lower() not in known:
        hint = nearest(str(optimizer), OPTIMIZERS)
        raise InputError(f"optimizer={optimizer!r}: ultralytics has {', '.join(OPTIMIZERS)}.{hint}")
    return {"optimizer": known[str(optimizer).lower()]}


def _check_device(device: Any) -> None:
    several = isinstance(device, (list, tuple)) and len(device) > 1
    if several or (isinstance(device, str) and "," in device):
        raise InputError(f"device={device!r}: detreduce counts and meters a training on one device; give one.")


def _first_sentence(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."
