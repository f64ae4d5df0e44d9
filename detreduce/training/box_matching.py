"""Match the ground-truth boxes of an image to raw predictions, and measure how good the predictions are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BLOCK = 256


def match(
    corners: torch.Tensor, logits: torch.Tensor, truth: torch.Tensor, classes: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Match each ground-truth box of an image to one prediction, and measure how good the prediction is.

    The match of a box is the prediction with the largest product of IoU and confidence in the class of the box. Two
    boxes may have the same match. If no prediction overlaps the box, its match is the prediction with the nearest
    centre.

    Parameters
    ----------
    corners
        (a, 4) corners of the a predictions on one image, from `detreduce.ultralytics_bridge.detector.raw_predictions`.
    logits
        (a, C) logits of the same predictions, also from `raw_predictions`.
    truth
        (g, 4) corners of the g ground-truth boxes, in the same pixel coordinates as `corners`.
    classes
        (g,) int64 classes of the ground-truth boxes.

    Returns
    -------
    dict
        Five (g,) float32 tensors, which `ProxyLog` defines: ``iou``, ``confidence``, ``error``, ``margin``, ``loss``.
    """
    import torch

    parts = [
        _match_block(corners, logits, truth[start : start + BLOCK], classes[start : start + BLOCK])
        for start in range(0, len(truth), BLOCK)
    ]
    if not parts:
        return {name: corners.new_empty(0) for name in ("iou", "confidence", "error", "margin", "loss")}
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _match_block(
    corners: torch.Tensor, logits: torch.Tensor, truth: torch.Tensor, classes: torch.Tensor
) -> dict[str, torch.Tensor]:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
    from torchvision.ops import box_iou

    # raw boxes may have a negative width or height, and then the IoU would divide by zero
    overlap = box_iou(truth, corners).nan_to_num(0.0, 0.0, 0.0).clamp(0.0, 1.0)
    worth, best = (overlap * logits.sigmoid().T[classes]).max(dim=1)
    centres, wanted = (boxes[:, :2] + boxes[:, 2:] for boxes in (corners, truth))
    best = torch.where(worth > 0, best, torch.cdist(wanted, centres).argmin(dim=1))
    rows = torch.arange(len(truth), device=truth.device)
    matched = logits[best]
    label = one_hot(classes, logits.shape[1]).to(matched.dtype)
    found = matched.sigmoid()
    confidence = found[rows, classes]
    iou = overlap[rows, best]
    others = found * (1 - label)
    entropy = binary_cross_entropy_with_logits(matched, label, reduction="none").sum(dim=1)
    return {
        "iou": iou,
        "confidence": confidence,
        "error": (found - label).norm(dim=1),
        "margin": confidence - others.max(dim=1).values,
        "loss": 1 - iou + entropy,
    }
