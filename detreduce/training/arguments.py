"""Ultralytics' training arguments by their own names, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detreduce.errors import InputError, nearest

# what detreduce decides itself, and what to use instead
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
    "resume": "a stopped training is started anew",
    "cfg": "give its arguments by name",
    "fraction": "it takes the first files in name order; choose images with detreduce.select",
    "seed": "give it as seed=",
}

DEFAULTS: dict[str, Any] = {"plots": False, "deterministic": True}


def check_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for ultralytics: detreduce's defaults, then those given.

    Raises InputError for names that ultralytics does not have, names that detreduce decides, several devices, and
    values that ultralytics refuses.
    """
    from ultralytics.cfg import get_cfg
    from ultralytics.utils import DEFAULT_CFG_DICT

    known = set(DEFAULT_CFG_DICT) | {"augmentations"}
    for name in given:
        if name in RESERVED:
            raise InputError(f"{name}={given[name]!r} cannot be set here: {RESERVED[name]}.")
        if name not in known:
            raise InputError(f"ultralytics has no training argument {name!r}.{nearest(name, known - set(RESERVED))}")
    arguments = {**DEFAULTS, **given}
    _check_device(arguments.get("device"))
    try:
        get_cfg(overrides={**arguments, "mode": "train"})
    except (TypeError, ValueError, SyntaxError) as error:
        raise InputError(f"ultralytics: {_first_sentence(error)}") from None
    for name in ("epochs", "imgsz"):
        value = arguments.get(name)
        if isinstance(value, int) and value < 1:
            raise InputError(f"{name}={value}: must be at least 1.")
    return arguments


def _check_device(device: Any) -> None:
    several = isinstance(device, (list, tuple)) and len(device) > 1
    if several or (isinstance(device, str) and "," in device):
        raise InputError(f"device={device!r}: detreduce counts and meters a training on one device; name one.")


def _first_sentence(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."
