"""A tiny dataset, a stand-in for training whose mAP depends on the batch, and a stand-in for the speed of a machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detreduce.experiment import run as run_module
from detreduce.training.planned_flops import PlannedNetwork, Speed
from detreduce.training.record import Flops, TrainingRecord

MAP = {1: 0.5, 2: 0.3, 4: 0.4, 8: 0.2}
"""Batch -> mAP50-95 of the stand-in."""


@pytest.fixture
def splits(tmp_path: Path) -> Callable[..., Path]:
    """Make a dataset of noise with splits of so many images; returns its data.yaml."""

    def make(**counts: int) -> Path:
        root, rng = tmp_path / "set", np.random.default_rng(0)
        for split, count in counts.items():
            for number in range(count):
                image, label = (root / split / kind for kind in ("images", "labels"))
                for folder in (image, label):
                    folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(image / f"{number}.png")
                (label / f"{number}.txt").write_text(f"{number % 2} 0.5 0.5 0.5 0.5\n")
        lines = [f"{split}: {split}/images\n" for split in counts]
        (root / "data.yaml").write_text("".join([*lines, "names: [a, b]\n"]))
        return root / "data.yaml"

    return make


@dataclass
class Trainer:
    """Trains nothing.

    `calls` are the arguments of each call; `interrupt_at` is the number of the call that stops. 100 images cost `wh`,
    and `of_test` times as much if test measures. `errors` are raised by batch, and `during` runs in each training.
    """

    make_record: Callable[..., TrainingRecord]
    calls: list[dict[str, Any]] = field(default_factory=list)
    interrupt_at: int = 0
    wh: float = 1.0
    of_test: float = 1.0
    errors: dict[int, BaseException] = field(default_factory=dict)
    during: Callable[[], None] = lambda: None

    def __call__(self, data: Any, *, output: Path, seed: int, model: Any, **arguments: Any) -> TrainingRecord:
        self.calls.append({"seed": seed, **arguments})
        if len(self.calls) == self.interrupt_at:
            raise KeyboardInterrupt
        if arguments["batch"] in self.errors:
            raise self.errors[arguments["batch"]]
        self.during()
        seen = arguments["images_per_epoch"] * arguments["epochs"]
        # seeds differ by a little, so that comparisons have a spread
        accuracy = MAP[arguments["batch"]] + 0.001 * seed * arguments["batch"]
        wh = self.wh * seen / 100 * (self.of_test if arguments["evaluate_on"] == "test" else 1)
        record = self.make_record(map50=2 * accuracy, wh=wh, images=seen, seed=seed)
        record = record.model_copy(update={"flops": Flops(forward=1e9, backward=2e9, method="made up")})
        output.mkdir(parents=True)
        record.save(output)
        return record


@pytest.fixture
def trainer(make_record: Callable[..., TrainingRecord], monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """Replaces the training of cells, the operations of an image (3 GFLOPs) and the speed (1 s and 1 Wh a TFLOP)."""
    made = Trainer(make_record)
    monkeypatch.setattr(run_module, "train", made)

    def flops(self: Any, size: int, freeze: Any = None) -> Flops:
        backward = 2e9 if not freeze else 1e9
        return Flops(forward=1e9 * (size / 64) ** 2, backward=backward * (size / 64) ** 2, method="made up")

    monkeypatch.setattr(PlannedNetwork, "flops", flops)
    monkeypatch.setattr(PlannedNetwork, "speed", lambda *_, **__: Speed(60.0, 3.0))
    return made
