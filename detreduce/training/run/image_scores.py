"""Measure how well a detector has learnt each training image, by its precision and recall on this image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.training.run.reading.plain_loader import plain_loader

if TYPE_CHECKING:
    import torch

CONFIDENCE, IOU = 0.25, 0.5
"""Smallest confidence of a detection that counts, and smallest IoU at which it matches a box."""


def score_images(trainer: Any) -> npt.NDArray[np.float64]:
    """Return the score of each training image: the smaller of precision and recall on this image.

    The result is (n,) float64, in the order of the trainer's loader. The predictions are made with the trainer's
    averaged weights (EMA), on images without augmentation as in a validation. An image without boxes has the score 1 if
    nothing is detected in it, and 0 otherwise.
    """
    import torch
    from ultralytics.utils.nms import non_max_suppression

    model, device = trainer.ema.ema, trainer.device
    loader = plain_loader(trainer)
    of_file: dict[str, float] = {}
    for batch in loader:
        images = batch["img"].to(device).float() / 255
        with torch.no_grad(), torch.autocast(device.type, enabled=bool(trainer.amp)):
            found = non_max_suppression(
                model(images), CONFIDENCE, 0.7, nc=len(trainer.data["names"]), end2end=getattr(model, "end2end", False)
            )
        height, width = images.shape[2:]
        scale = torch.tensor([width, height, width, height])
        for number, file in enumerate(batch["im_file"]):
            own = batch["batch_idx"] == number
            centred = batch["bboxes"][own] * scale
            corners = torch.cat([centred[:, :2] - centred[:, 2:] / 2, centred[:, :2] + centred[:, 2:] / 2], 1)
            classes = batch["cls"][own].flatten()
            of_file[file] = smaller_of_precision_and_recall(found[number].float().cpu(), corners, classes)
    loader.close()
    return np.array([of_file[file] for file in trainer.train_loader.dataset.im_files])


def smaller_of_precision_and_recall(found: torch.Tensor, corners: torch.Tensor, classes: torch.Tensor) -> float:
    """Return the smaller of precision and recall on one image, at IoU 0.5.

    Detections are matched in the order of their confidence, with the highest first. Each detection is matched with the
    box of its class that has the largest IoU and is not matched yet.

    Parameters
    ----------
    found
        (d, 6) detections: corners x1, y1, x2, y2, confidence and class.
    corners, classes
        (g, 4) corners of the boxes of the image, in the same pixels, and their (g,) classes.
    """
    from torchvision.ops import box_iou

    if not len(found) or not len(corners):
        return float(len(found) == len(corners))
    found = found[found[:, 4].argsort(descending=True, stable=True)]
    overlap = box_iou(found[:, :4], corners) * (found[:, 5:6] == classes[None, :])
    hits = 0
    for row in overlap:
        best = int(row.argmax())
        if row[best] >= IOU:
            hits += 1
            # each box is matched only once
            overlap[:, best] = 0
    return hits / max(len(found), len(corners))
