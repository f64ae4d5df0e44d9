"""Measure the loss of each image of a batch, and weigh the images in the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError

if TYPE_CHECKING:
    import torch

FloatArray = npt.NDArray[np.float64]


class WeightedLoss:
    """Ultralytics' loss of a detector, with a weight for each image. It replaces the criterion of the network.

    Ultralytics' loss is a sum over the predictions of a batch, divided by one number for the batch. So the predictions
    of an image contribute to the gradient independently of other images. To give an image the weight 2, the gradient of
    its predictions is multiplied by 2. The value of the loss stays as it is.

    The loss of one image is not part of the loss of its batch, because of the common divisor. Therefore it is computed
    separately, from the same predictions, as if the batch contained only this image. The network does not run again.

    Parameters
    ----------
    criterion
        Ultralytics' loss: a function of the predictions and the batch.
    weights
        A function from the files of a batch to the (b,) weights of its images.
    report
        A function that is called with the files of a batch and the (b,) losses of its images.
    """

    def __init__(
        self,
        criterion: Any,
        weights: Callable[[Sequence[str]], FloatArray],
        report: Callable[[Sequence[str], list[float]], None],
    ) -> None:
        self.criterion, self.weights, self.report = criterion, weights, report

    def __call__(self, predictions: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, Any]:
        """Return the loss of a batch as ultralytics does."""
        import torch

        files = batch["im_file"]
        with torch.no_grad():
            losses = [_loss_alone(self.criterion, predictions, batch, image) for image in range(len(files))]
            self.report(files, torch.stack(losses).tolist())
        weights = self.weights(files)
        if (weights != 1).any():
            _weigh(predictions, torch.as_tensor(weights))
        found: tuple[torch.Tensor, Any] = self.criterion(predictions, batch)
        return found

    def update(self) -> None:
        """Tell the criterion that an epoch has ended, if it needs to know."""
        if hasattr(self.criterion, "update"):
            self.criterion.update()


def check_weightable(network: Any) -> None:
    """Raise InputError if the images of an ultralytics ``YOLO`` cannot be weighted in its loss."""
    from ultralytics.nn.tasks import DetectionModel

    if type(network.model) is not DetectionModel:
        raise InputError(
            f"infobatch: the loss of each image is known only for a YOLO detector, but this model is a "
            f"{type(network.model).__name__}. Leave infobatch out, or use another model."
        )


def _loss_alone(criterion: Any, predictions: Any, batch: dict[str, Any], image: int) -> torch.Tensor:
    """Return the loss of one image as if it were the only image of the batch."""
    own = batch["batch_idx"] == image
    targets = {name: batch[name][own] for name in ("cls", "bboxes")}
    targets["batch_idx"] = batch["batch_idx"][own] * 0
    loss: torch.Tensor = criterion(_part(predictions, image), targets)[0]
    return loss.sum()


def _part(predictions: Any, image: int) -> Any:
    """Return the predictions for one image of the batch."""
    if isinstance(predictions, dict):
        return {name: _part(value, image) for name, value in predictions.items()}
    if isinstance(predictions, (list, tuple)):
        return type(predictions)(_part(value, image) for value in predictions)
    return predictions[image : image + 1]


def _weigh(predictions: dict[str, Any], weights: torch.Tensor) -> None:
    """Multiply the gradients of boxes and class scores by the (b,) weights of their images.

    The feature maps are left alone: their gradient comes from the boxes and the scores, and is weighted with it.
    """
    for name, value in predictions.items():
        if isinstance(value, dict):
            _weigh(value, weights)
        elif name in ("boxes", "scores"):
            value.register_hook(lambda gradient: gradient * weights.to(gradient)[:, None, None])
