from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny_dataset import make_tiny

from detreduce.training.energy import EnergyMeter
from detreduce.training.flops import training_flops
from detreduce.training.progressive_size import ProgressiveSize, resized
from detreduce.training.run import trainer
from detreduce.training.run.arguments import check_arguments
from detreduce.training.run.detector_training import DetectorTraining, run_training
from detreduce.training.run.folder import make_run_folder


def test_sizes_worked_by_hand() -> None:
    sizes = ProgressiveSize()
    # 640 * (0.6 + 0.4 * share / 0.6): 384, 469.3, 512, 640 and 640 from 60 % on
    assert [sizes.size(share, 640) for share in (0, 0.2, 0.3, 0.6, 0.9)] == [384, 480, 512, 640, 640]
    assert ProgressiveSize.model_validate(True) == sizes
    assert ProgressiveSize(end=0).size(0, 640) == 640
    assert ProgressiveSize(start=0.01).size(0, 64) == 32


def test_the_cost_worked_by_hand() -> None:
    # 96 pixels: 64 while the wanted size is below 80 (share 0.35 of the steps), then 96
    sizes = ProgressiveSize()
    assert sizes.size(0.34, 96) == 64 and sizes.size(0.36, 96) == 96
    assert sizes.relative_cost(96) == pytest.approx(0.35 * (64 / 96) ** 2 + 0.65, abs=1e-3)
    assert ProgressiveSize(start=1).relative_cost(640) == 1.0


@given(st.floats(0.05, 1), st.floats(0, 1), st.integers(1, 40))
def test_sizes_grow_to_full_size(start: float, end: float, strides: int) -> None:
    sizes, full = ProgressiveSize(start=start, end=end), 32 * strides
    found = [sizes.size(step / 20, full) for step in range(21)]
    assert found == sorted(found)
    assert found[-1] == full
    assert all(size % 32 == 0 and size >= 32 for size in found)


@pytest.mark.parametrize("wrong", [{"start": 0}, {"start": 1.5}, {"end": 2}, {"until": 1}, False, 0.5])
def test_wrong_sizes_are_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        ProgressiveSize.model_validate(wrong)


def test_batches_are_interpolated() -> None:
    images = torch.linspace(0, 1, 96).expand(2, 3, 96, 96)
    small = resized(images, 64, 96)
    assert small.shape == (2, 3, 64, 64)
    assert small.mean() == pytest.approx(0.5, abs=1e-6)
    assert resized(images, 96, 96) is images
    assert resized(torch.zeros(1, 3, 96, 192), 64, 96).shape[2:] == (64, 128)


@pytest.mark.train
def test_a_training_sees_small_images_first_and_costs_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 8, "val": 2})
    seen: list[tuple[int, ...]] = []
    preprocess = trainer._WatchedTrainer.preprocess_batch

    def look(self: Any, batch: Any) -> Any:
        batch = preprocess(self, batch)
        seen.append(tuple(batch["img"].shape[2:]))
        return batch

    monkeypatch.setattr(trainer._WatchedTrainer, "preprocess_batch", look)
    arguments = {**check_arguments({"imgsz": 96, "batch": 4, "epochs": 5, "workers": 0}), "seed": 0, "val": False}
    run = make_run_folder(data, tmp_path / "run", label="a")
    done = run_training(DetectorTraining("yolov8n.yaml", arguments, sizes=ProgressiveSize()), run, EnergyMeter())
    # ten batches: 64 pixels for the shares 0, 0.1, 0.2 and 0.3
    assert seen == [(64, 64)] * 4 + [(96, 96)] * 6
    cost = (4 * (64 / 96) ** 2 + 6) / 10
    assert done.watch.relative_cost == pytest.approx(cost)
    full, less = training_flops(done.watch.trainer), training_flops(done.watch.trainer, done.watch.relative_cost)
    assert full and less
    assert less.forward == pytest.approx(full.forward * cost)
