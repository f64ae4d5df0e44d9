"""The arguments of an evaluation that are taken from the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHARED = ("imgsz", "device", "workers", "single_cls", "conf", "iou", "max_det", "agnostic_nms", "nms")
"""Training arguments that also change the predictions in an evaluation."""


def evaluation_arguments(arguments: Mapping[str, Any], imgsz: Any, batch: float) -> dict[str, Any]:
    """Return the arguments for ``YOLO.val`` of an evaluation after a training.

    `arguments` are the arguments of the training. `imgsz` and `batch` are the image size and the batch size that the
    training really used, which can differ from these arguments.
    """
    shared = {name: arguments[name] for name in _SHARED if arguments.get(name) is not None}
    return {**shared, "imgsz": imgsz, "batch": max(1, int(batch)) * 2}
