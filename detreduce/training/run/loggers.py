"""Attach the loggers of ultralytics (MLflow, TensorBoard, W&B, ...) that the user's settings enable.

Ultralytics itself cannot read these settings, because detreduce gives it a private settings folder. This module reads
the user's settings and never changes them. Ultralytics' telemetry and its platform stay disabled.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from detreduce.ultralytics_bridge.config_folder import config_folder

# key in the settings -> name of the module in ultralytics.utils.callbacks
LOGGERS = {
    "clearml": "clearml",
    "comet": "comet",
    "dvc": "dvc",
    "mlflow": "mlflow",
    "raytune": "raytune",
    "tensorboard": "tensorboard",
    "wandb": "wb",
}


def attach_loggers(instance: Any) -> None:
    """Add the callbacks of the enabled loggers to an ultralytics trainer.

    Ultralytics calls this function instead of its own function for the same purpose.
    """
    if "Trainer" not in type(instance).__name__:
        return
    for name in switched_on():
        module = importlib.import_module(f"ultralytics.utils.callbacks.{LOGGERS[name]}")
        for event, function in module.callbacks.items():
            if function not in instance.callbacks[event]:
                instance.callbacks[event].append(function)


def switched_on() -> tuple[str, ...]:
    """Return the names of the loggers that are enabled in the user's ultralytics settings. By default, there are
    none.
    """
    try:
        content = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    return tuple(name for name in LOGGERS if isinstance(content, dict) and content.get(name) is True)


def settings_file() -> Path:
    """Return the path of the user's ultralytics settings file."""
    return config_folder() / "settings.json"
