"""Ultralytics' detection heads, and what they predict before non-maximum suppression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detreduce.errors import InputError

if TYPE_CHECKING:
    import torch

HEADS = ("Detect", "v10Detect")
"""Names of ultralytics' anchor-free detection heads, from YOLOv5u to YOLO26."""


def check_head(network: Any, name: str, purpose: str = "be a proxy") -> None:
    """Raise InputError unless `network` is a plain detector.

    `network` is an ultralytics ``YOLO`` object. `name` is the name of the model in the error message, and `purpose`
    says what the model is needed for.
    """
    layers = getattr(network.model, "model", None)
    head = type(layers[-1]).__name__ if layers is not None else "no head"
    if network.task != "detect" or head not in HEADS:
        raise InputError(
            f"{name} cannot {purpose}, because it is a model for {network.task!r} with the head {head!r}. "
            "Use a plain YOLO detector, for example yolo11n.pt."
        )


def raw_predictions(model: Any, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all predictions of the detection head, before non-maximum suppression.

    If the head has two parts, use the predictions of the part that `branch` returns.

    Parameters
    ----------
    model
        Ultralytics' ``DetectionModel``, in eval mode.
    images
        (b, 3, h, w) float: RGB images with values from 0 to 1.

    Returns
    -------
    corners
        (b, a, 4) float32: x1, y1, x2, y2 of each box, in pixels of `images`.
    logits
        (b, a, C) float32: one logit for each box and class, before the sigmoid.
    """
    import torch

    head = model.model[-1]
    _, raw = model(images)
    raw = branch(head, raw)
    raw = {name: value.float() if isinstance(value, torch.Tensor) else value for name, value in raw.items()}
    boxes = head._inference(raw)[:, :4].permute(0, 2, 1)
    if not (head.end2end or head.xyxy):
        half = boxes[..., 2:] / 2
        boxes = torch.cat((boxes[..., :2] - half, boxes[..., :2] + half), dim=-1)
    return boxes, raw["scores"].permute(0, 2, 1)


def branch(head: Any, raw: dict[str, Any]) -> dict[str, Any]:
    """Return the raw predictions of the part of the head that ultralytics uses for inference by default.

    The heads of YOLO26 and YOLOv10 have two parts: a one-to-one part, and a one-to-many part whose predictions need
    non-maximum suppression. Other heads have only one part.
    """
    return raw["one2one" if head.end2end else "one2many"] if "one2one" in raw else raw
