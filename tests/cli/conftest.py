from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.training.energy import PhaseEnergy
from detreduce.training.record import TrainingRecord


@pytest.fixture
def yolo_folder(tmp_path: Path) -> Path:
    """Eight grey images, two classes, one background image, one bad label line."""
    from PIL import Image

    for row in range(8):
        image = tmp_path / "set" / "images" / f"{row}.jpg"
        label = tmp_path / "set" / "labels" / f"{row}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (row * 30, 100, 100)).save(image)
        label.write_text("" if row == 7 else f"{row % 2} 0.5 0.5 0.2 0.2\n")
    with (tmp_path / "set" / "labels" / "3.txt").open("a") as stream:
        stream.write("9 0.5 0.5 0.1 0.1\n")
    data = tmp_path / "set" / "data.yaml"
    data.write_text("train: images\nval: images\nnames: [cat, dog]\n")
    return data


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Six noise images in train, two in val: train 5 is 4 rotated, val 0 equals train 0, and val 1 is train 1
    mirrored.
    """
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (50, 70, 3), dtype=np.uint8) for _ in range(5)]
    train = [*pictures, np.rot90(pictures[4])]
    val = [pictures[0], pictures[1][:, ::-1]]
    for split, images in (("train", train), ("val", val)):
        for row, image in enumerate(images):
            for folder in ("images", "labels"):
                (tmp_path / "set" / split / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / "set" / split / "images" / f"{row}.png")
            (tmp_path / "set" / split / "labels" / f"{row}.txt").write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    file = tmp_path / "set" / "data.yaml"
    file.write_text("train: train/images\nval: val/images\nnames: [cat, dog]\n")
    return file


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Two cells of full and two of mms; the second cell of mms overlapped another training."""
    made = Ledger.create(tmp_path / "runs" / "x")
    for number, (method, keep, seed) in enumerate(
        [("full", 1.0, 0), ("full", 1.0, 1), ("mms", 0.25, 0), ("mms", 3, 0)]
    ):
        key = f"{method}-{number}"
        with made.claim(key) as work:
            assert work is not None
            (work / TRAIN_FOLDER).mkdir()
            training = record(number + 1.0)
            training.save(work / TRAIN_FOLDER)
            cell = {
                "key": key, "label": method, "method": method, "keep": keep, "training_seed": seed,
                "control": method if method == "full" else None, "parameters": {},
            }  # fmt: skip
            made.finish(work, FinishedCell(key, cell, training, {}, {}, {"overlapped": number == 3}))
    return made


def record(wh: float) -> TrainingRecord:
    content: dict[str, Any] = {
        "evaluation": None, "energy": {"training": PhaseEnergy(seconds=60, wh=wh, g_co2=wh)}, "seconds": 60,
        "counts": {"optimiser_steps": 1, "batches": 1, "images_seen": 1, "epochs": 1},
        "data": {"path": "d", "hash": "0", "splits": {}, "train_images": 9, "train_boxes": 1, "class_names": ["a"]},
        "model": {
            "name": "x.yaml", "task": "detect", "parameters": 1, "weights_before": None, "weights_after": "0",
            "weights_file": "last.pt",
        },
        "choose": "last", "seed": 0, "imgsz": 64, "arguments": {}, "resolved": {}, "history": [], "device": "cpu",
        "cpu": "cpu", "threads": 1, "versions": {}, "started": "", "run": "train",
    }  # fmt: skip
    return TrainingRecord.model_validate(content)
