"""Compute the gradient of a detector's loss with respect to the last layers of its head, for each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.features.pixels.running import Running
from detreduce.images.batches import NetworkInput
from detreduce.ultralytics_bridge.detector import branch, check_head
from detreduce.ultralytics_bridge.plain_weights import load_plain
from detreduce.ultralytics_bridge.tensor_weights import GAINS, load_tensors

if TYPE_CHECKING:
    import torch

DIMENSIONS = 512
"""Number of columns of the block `gradients`. They take 2 KiB per image as float32."""
LAYERS = "the last convolutions of the box and class branches, weights and biases"


@dataclass(frozen=True)
class GradientOptions:
    """How to compute gradients.

    Attributes
    ----------
    imgsz
        Length of the longer side of the input, in pixels.
    dimensions
        Number of columns after the random projection.
    seed
        Seed of the random projection.
    running
        Device, batch size and threads.
    start
        The model from which the training of the weights started. It is needed only if the weights file contains nothing
        but tensors (see `load_tensors`). For an ordinary weights file of ultralytics, it is None (see `load_plain`).
    """

    imgsz: int = 320
    dimensions: int = DIMENSIONS
    seed: int = 0
    running: Running = field(default_factory=Running)
    start: str | None = None


class HeadGradients:
    """A detector's head, its loss and a random projection. The network is built only when it is first needed."""

    def __init__(self, weights: Path, n_classes: int, device: torch.device, options: GradientOptions) -> None:
        self.weights = weights
        self.n_classes = n_classes
        self.device = device
        self.options = options

    @cached_property
    def model(self) -> Any:
        """The ultralytics network in eval mode. Its `args` contain the loss gains of the training."""
        if self.options.start is None:
            network = load_plain(self.weights)
        else:
            network = load_tensors(self.weights, self.options.start, self.n_classes)
        from ultralytics.cfg import get_cfg

        check_head(network, self.weights.name)
        model = network.model.float().to(self.device).eval().requires_grad_(False)
        count = int(model.model[-1].nc)
        if count != self.n_classes:
            raise InputError(
                f"{self.weights} has {counted(count, 'class', 'classes')}, but the dataset has "
                f"{self.n_classes}. Use weights that were "
                "trained on the classes of the dataset, for example the proxy's weights."
            )
        given = model.args if isinstance(model.args, dict) else vars(model.args)
        model.args = get_cfg(overrides={name: given[name] for name in GAINS if name in given})
        return model

    @cached_property
    def convolutions(self) -> list[Any]:
        """The last convolution of each level of the box branch, then of each level of the class branch."""
        head = self.model.model[-1]
        heads = (head.one2one_cv2, head.one2one_cv3) if head.end2end else (head.cv2, head.cv3)
        return [level[-1] for part in heads for level in part]

    @cached_property
    def loss(self) -> Any:
        """Ultralytics' loss function. For YOLO26, it is the loss of the head that is used for prediction by default."""
        criterion = self.model.init_criterion()
        if not hasattr(criterion, "one2many"):
            return criterion
        return criterion.one2one if self.model.model[-1].end2end else criterion.one2many

    @cached_property
    def projection(self) -> Any:
        """scikit-learn's sparse random projection, or None if the gradient has no more than `dimensions` entries."""
        from sklearn.random_projection import SparseRandomProjection

        width = sum(parameter.numel() for layer in self.convolutions for parameter in layer.parameters())
        if width <= self.options.dimensions:
            return None
        chosen = SparseRandomProjection(self.options.dimensions, dense_output=True, random_state=self.options.seed)
        return chosen.fit(np.zeros((1, width), np.float32))

    def vectors(
        self, group: list[NetworkInput], truth: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]
    ) -> npt.NDArray[np.float32]:
        """Return the projected gradients of b images that have the same shape, (b, dimensions) float32.

        `truth` contains the ground-truth boxes and class numbers of each image.
        """
        full = self.gradients(group, truth)
        if not np.isfinite(full).all():
            raise InputError(
                f"{self.weights}: the gradients are not finite, so the training diverged. Train the proxy again."
            )
        return full if self.projection is None else self.projection.transform(full).astype(np.float32)

    def gradients(
        self, group: list[NetworkInput], truth: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]
    ) -> npt.NDArray[np.float32]:
        """Return the gradients without projection, (b, D) float32.

        A gradient has one part for each layer: the weights of the layer row by row, and then its biases.
        """
        import torch

        seen: list[torch.Tensor] = []
        hooks = [layer.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for layer in self.convolutions]
        images = torch.from_numpy(np.stack([item.image for item in group])).to(self.device)
        try:
            with torch.no_grad():
                _, raw = self.model(images.permute(0, 3, 1, 2).float() / 255)
        finally:
            for hook in hooks:
                hook.remove()
        raw = branch(self.model.model[-1], raw)
        rows = []
        for number, (item, (boxes, classes)) in enumerate(zip(group, truth, strict=True)):
            slopes = self._slopes(raw, number, _targets(item, boxes, classes, self.device))
            parts = []
            for slope, given in zip(slopes, seen, strict=True):
                parts += [(slope @ given[number].flatten(1).T).flatten(), slope.sum(dim=1)]
            rows.append(torch.cat(parts))
        return torch.stack(rows).cpu().numpy()

    def _slopes(self, raw: dict[str, Any], number: int, targets: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """Return the derivative of one image's loss with respect to the output of each layer, (channels, positions)."""
        import torch

        leaves = {name: raw[name][number : number + 1].clone().requires_grad_(True) for name in ("boxes", "scores")}
        levels = [level[number : number + 1] for level in raw["feats"]]
        with torch.enable_grad():
            parts, _ = self.loss.loss({**leaves, "feats": levels}, targets)
            derivatives = torch.autograd.grad(parts.sum(), list(leaves.values()))
        sizes = [level.shape[2] * level.shape[3] for level in levels]
        return [part for slope in derivatives for part in slope[0].split(sizes, dim=1)]


def _targets(
    item: NetworkInput, boxes: npt.NDArray[np.float64], classes: npt.NDArray[np.int64], device: torch.device
) -> dict[str, torch.Tensor]:
    """Convert the boxes of an image to the format of ultralytics' loss: centre and size as fractions of the input."""
    import torch

    corners = item.frame.place(boxes)
    centred = np.hstack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])
    return {
        "batch_idx": torch.zeros(len(boxes), device=device),
        "cls": torch.from_numpy(classes.astype(np.float32)).to(device),
        "bboxes": torch.from_numpy(centred.astype(np.float32)).to(device),
    }
