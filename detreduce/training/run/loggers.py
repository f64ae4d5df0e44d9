"""The loggers that ultralytics knows (MLflow, TensorBoard, W&B, ...), by the switches that the user set for it.

Ultralytics' settings are redirected to a private folder (see `detreduce.ultralytics_bridge.pretrained`), so the user's
own are read here, and nothing is written to them. Its reports to its makers and its platform stay off.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from detreduce.ultralytics_bridge.config_folder import config_folder

# switch in the settings -> module of ultralytics.utils.callbacks
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
    """Give a trainer the callbacks of the loggers that are switched on; stands in for ultralytics' own function."""
    if "Trainer" not in type(instance).__name__:
        return
    for name in switched_on():
        module = importlib.import_module(f"ultralytics.utils.callbacks.{LOGGERS[name]}")
        for event, function in module.callbacks.items():
            if function not in instance.callbacks[event]:
                instance.callbacks[event].append(function)


def switched_on() -> tuple[str, ...]:
    """Names of the loggers that the user's ultralytics settings switch on; none where there are no settings."""
    try:
        content = json.loads(settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    return tuple(name for name in LOGGERS if isinstance(content, dict) and content.get(name) is True)


def settings_file() -> Path:
    """Where `yolo settings` keeps the user's settings."""
    return config_folder() / "settings.json"
