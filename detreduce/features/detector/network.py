"""Run a detector on batches of images, and turn its output into boxes."""

from __future__ import annotations

import contextlib
import copy
import threading
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError
from detreduce.features.detector.request import Detector
from detreduce.images.batches import NetworkInput
from detreduce.ultralytics_bridge.detector import check_head, raw_predictions
from detreduce.ultralytics_bridge.tensor_weights import open_model

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]
COLUMNS = 7
"""The numbers of each stored box: four corners, confidence, class, and the confidence of the second class."""
_CONFIDENCE = 4


class DetectorNetwork:
    """The network of a detector on one device. The weights are loaded when they are first needed.

    Loading weights can run code, so a `Detector` must come from a person and not from a file.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._model: Any = None
        self._own = threading.local()

    @cached_property
    def loaded(self) -> Any:
        """Ultralytics' ``YOLO``. Raise InputError if the weights cannot be read or are not of a plain detector."""
        network = open_model(str(self.detector.file))
        check_head(network, self.detector.name, "predict boxes")
        return network

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their numbers."""
        names = self.loaded.names
        return tuple(str(names[number]) for number in sorted(names))

    def load(self, device: torch.device) -> None:
        """Put the network on a device, in eval mode. Raise InputError if it does not take RGB images."""
        model = self.loaded.model.float().fuse(verbose=False).to(device).eval().requires_grad_(False)
        if next(model.parameters()).shape[1] != 3:
            raise InputError(f"{self.detector.name} does not take RGB images, so it cannot predict boxes.")
        self._model = model

    def _of_thread(self) -> Any:
        """Return a copy of the network for the calling thread. All copies share the weights.

        A head stores the positions of its boxes for the size of its last input, so threads must not share a head.
        """
        if not hasattr(self._own, "model"):
            shared: dict[int, Any] = {
                id(tensor): tensor for tensor in chain(self._model.parameters(), self._model.buffers())
            }
            self._own.model = copy.deepcopy(self._model, shared)
        return self._own.model

    def predict(self, group: list[NetworkInput], batch: int, device: torch.device, *, mirror: bool) -> Array:
        """Return the boxes of b images that have the same shape, (b, boxes * 7) float32. Call `load` first.

        The corners are fractions of the picture. Unused places contain zeros. If `mirror`, the network sees the
        mirrored images, and the boxes are mirrored back. The network always gets `batch` images, because the size of a
        batch changes the last digits of the result.
        """
        import torch

        filled = group + group[-1:] * (batch - len(group))
        pixels = torch.from_numpy(np.stack([item.image for item in filled]))
        exact: Any = contextlib.nullcontext()
        if device.type == "cuda":
            exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            images = pixels.to(device).permute(0, 3, 1, 2).float() / 255
            corners, logits = raw_predictions(self._of_thread(), images.flip(3) if mirror else images)
            height, width = images.shape[2:]
            if mirror:
                x1, y1, x2, y2 = corners.unbind(-1)
                corners = torch.stack([width - x2, y1, width - x1, y2], dim=-1)
            probabilities = logits.sigmoid()
            if not bool(torch.isfinite(probabilities).all()):
                raise InputError(f"{self.detector.name} predicts numbers that are not finite. Check its weights.")
            found = [self._boxes(corners[place], probabilities[place]) for place in range(len(group))]
        return np.stack([self._packed(item, one, width, height) for item, one in zip(group, found, strict=True)])

    def _boxes(self, corners: torch.Tensor, probabilities: torch.Tensor) -> Array:
        """Return the boxes of one image that remain, (m, 7) float64, most confident first."""
        import torch
        from torchvision.ops import batched_nms

        best, classes = probabilities.topk(min(2, probabilities.shape[1]), dim=1)
        keep = torch.nonzero(best[:, 0] >= self.detector.confidence)[:, 0]
        keep = keep[torch.sort(best[keep, 0], descending=True, stable=True).indices]
        if not self._model.model[-1].end2end:
            keep = keep[batched_nms(corners[keep], best[keep, 0], classes[keep, 0], self.detector.overlap)]
        keep = keep[: self.detector.boxes]
        second = best[keep, 1] if best.shape[1] > 1 else torch.zeros(len(keep), device=best.device)
        parts = [corners[keep], best[keep, :1], classes[keep, :1].float(), second[:, None]]
        return torch.cat(parts, dim=1).cpu().double().numpy()

    def _packed(self, item: NetworkInput, boxes: Array, width: int, height: int) -> Array:
        """Return the boxes of one image as one vector, with the corners as fractions of the picture."""
        corners = item.frame.back(boxes[:, :_CONFIDENCE] / np.array([width, height] * 2))
        boxes = np.hstack([np.clip(corners, 0.0, 1.0), boxes[:, _CONFIDENCE:]])
        boxes = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
        packed = np.zeros((self.detector.boxes, COLUMNS), np.float32)
        packed[: len(boxes)] = boxes
        return packed.reshape(-1)
