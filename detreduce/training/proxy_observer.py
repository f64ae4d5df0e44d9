"""After each epoch of a proxy training, predict on every training image, and measure every ground-truth box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.proxy_log import MEASURES, ProxyLog
from detreduce.errors import DetreduceError
from detreduce.training.box_matching import match
from detreduce.training.evaluation.ground_truth import file_key
from detreduce.training.run.folder import RunFolder
from detreduce.training.run.reading.plain_loader import plain_loader
from detreduce.training.run.reading.source_rows import rows_by_file
from detreduce.ultralytics_bridge.detector import raw_predictions

if TYPE_CHECKING:
    import torch


class Observer:
    """An ultralytics callback that measures every ground-truth box after each epoch, and collects the proxy log.

    The boxes are taken from the dataset, because ultralytics removes repeated boxes from its own labels.
    """

    def __init__(self, run: RunFolder) -> None:
        source = run.source
        self.source = source
        single = ~source.box_crowd
        self._boxes = source.boxes_xyxyn[single]
        self._classes = source.box_classes[single]
        rows = source.box_rows[single]
        self._box_rows = rows
        self._starts = np.searchsorted(rows, np.arange(len(source) + 1))
        self.row_of = rows_by_file(run)
        self._seen = np.zeros(len(source), bool)
        self._epochs: list[dict[str, npt.NDArray[np.float32]]] = []
        self.steps: list[int] = []
        """The number of optimiser steps from the start of the training to the end of each epoch."""
        self._loader: Any = None

    def look(self, trainer: Any) -> None:
        """Predict with the trainer's averaged weights (EMA), and measure every box. Call this after each epoch."""
        import torch

        loader = self._images(trainer)
        model = trainer.ema.ema
        device = trainer.device
        found = {name: np.full(len(self._boxes), np.nan, np.float32) for name in MEASURES}
        trainer.watch.say(f"epoch {trainer.epoch + 1}/{trainer.epochs}: measuring every box")
        for batch in loader:
            with torch.no_grad(), torch.autocast(device.type, enabled=bool(trainer.amp)):
                images = batch["img"].to(device).float() / 255
                corners, logits = raw_predictions(model, images)
            if not bool(torch.isfinite(logits).all()):
                raise DetreduceError(
                    f"The proxy training diverged in epoch {trainer.epoch + 1}: its predictions are NaN or infinite. "
                    "Use a smaller lr0, or start from pretrained weights."
                )
            for number, file in enumerate(batch["im_file"]):
                row = self.row_of.get(file_key(file))
                if row is None:
                    continue
                self._seen[row] = True
                inside = slice(self._starts[row], self._starts[row + 1])
                truth, classes = self._truth(inside, batch, number, single_class=bool(trainer.args.single_cls))
                measures = match(corners[number], logits[number], truth.to(device), classes.to(device))
                for name, values in measures.items():
                    found[name][inside] = values.cpu().numpy()
        self._epochs.append(found)
        self.steps.append(trainer.watch.optimiser_steps)
        if trainer.epoch + 1 >= trainer.epochs or trainer.stop:
            loader.close()

    def log(self, facts: dict[str, Any]) -> ProxyLog:
        """Return the proxy log of all images on which the detector has predicted."""
        place = np.cumsum(self._seen) - 1
        used = self._seen[self._box_rows]
        stacked = {
            name: np.stack([epoch[name][used] for epoch in self._epochs]).astype(kind)
            for name, kind in MEASURES.items()
        }
        ids = self.source.image_ids
        return ProxyLog(
            tuple(ids[int(row)] for row in np.flatnonzero(self._seen)),
            place[self._box_rows[used]].astype(np.int32),
            self._classes[used].astype(np.int32),
            self._boxes[used].astype(np.float16),
            **stacked,
            facts=facts,
        )

    def _images(self, trainer: Any) -> Any:
        """Return ultralytics' validation loader for the training images. It is created on the first call."""
        if self._loader is None:
            self._loader = plain_loader(trainer)
        return self._loader

    def _truth(
        self, inside: slice, batch: dict[str, Any], number: int, *, single_class: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the corners of an image's boxes in pixels of the network's input, and the classes of these boxes."""
        import torch

        height, width = batch["ori_shape"][number]
        (gain_height, gain_width), (left, top) = batch["ratio_pad"][number]
        scale = np.array([width * gain_width, height * gain_height] * 2)
        corners = self._boxes[inside] * scale + [left, top, left, top]
        classes = np.zeros_like(self._classes[inside]) if single_class else self._classes[inside]
        return torch.from_numpy(corners.astype(np.float32)), torch.from_numpy(classes)
