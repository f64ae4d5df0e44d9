"""A small detector with random weights that finds boxes in every image. It needs no file and no training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

NAMES = ("car", "person", "tree")


def make_detector(file: Path, names: Sequence[str] = NAMES, seed: int = 0, blind: bool = False) -> Path:
    """Write the weights of a YOLO detector with random weights, and return the file. A blind one is never confident."""
    from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

    quiet_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = DetectionModel("yolov8n.yaml", nc=len(names), verbose=False)
        layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
        for layer in layers:
            layer.momentum = 1.0
        # with statistics of noise, the last layers see differences between images
        model.train()(torch.rand(4, 3, 64, 64))
        for layer in layers:
            layer.momentum = 0.03
        for branch in model.model[-1].cv3:
            branch[-1].weight.data.normal_(0.0, 0.0 if blind else 0.02)
            branch[-1].bias.data.fill_(-5.0 if blind else -2.0)
        model.eval()
    model.names = dict(enumerate(names))
    arguments = {"task": "detect", "model": "yolov8n.yaml", "imgsz": 64}
    model.args = arguments
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model, "train_args": arguments}, file)
    return file
