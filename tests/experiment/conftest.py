"""Finished records without a training, for tests of the code around trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from detreduce.training.energy import ComponentEnergy, PhaseEnergy
from detreduce.training.evaluation.figures import Evaluation
from detreduce.training.record import Counts, DataFacts, ModelFacts, TrainingRecord


def _make_record(*, map50: float = 0.5, wh: float = 1.0, images: int = 10, seed: int = 0) -> TrainingRecord:
    component = ComponentEnergy(wh=wh, provenance="constant", method="made up for a test")
    return TrainingRecord(
        evaluation=Evaluation(
            splits=["test"], images=4, boxes=4, mAP50=map50, mAP50_95=map50 / 2, precision=0.5, recall=0.5
        ),
        energy={"training": PhaseEnergy(seconds=60, wh=wh, g_co2=wh / 5, components={"ram": component})},
        seconds=60,
        counts=Counts(optimiser_steps=1, batches=1, images_seen=images, epochs=1),
        data=DataFacts(
            path="data.yaml", hash="0", splits={"train": images}, train_images=images, train_boxes=1, class_names=["a"]
        ),
        model=ModelFacts(
            name="x.yaml", task="detect", parameters=1, weights_before=None, weights_after="0", weights_file="last.pt"
        ),
        choose="last",
        seed=seed,
        imgsz=64,
        arguments={},
        resolved={},
        history=[],
        device="cpu",
        cpu="cpu",
        threads=1,
        versions={},
        started="2026-01-01T00:00:00Z",
        run="train",
    )


def _stand_in_train(
    data: Any, *, output: Path, seed: int, model: str | Path = "x.yaml", epochs: int = 1, **_: Any
) -> TrainingRecord:
    """Count the images of a training, and do not train."""
    from detreduce.dataset import load_dataset

    images = len(load_dataset(data, split="train"))
    record = _make_record(map50=images / 1000, wh=float(images), images=images * epochs, seed=seed)
    facts = record.data.model_copy(update={"train_images": images})
    name = record.model.model_copy(update={"name": Path(model).name})
    record = record.model_copy(update={"data": facts, "model": name})
    output.mkdir(parents=True)
    record.save(output)
    return record


@pytest.fixture
def make_record() -> Callable[..., TrainingRecord]:
    """Make a finished record from a few numbers."""
    return _make_record


@pytest.fixture
def stand_in_train() -> Callable[..., TrainingRecord]:
    """A trainer that counts images instead of training."""
    return _stand_in_train


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Twelve images in two classes with given vectors; srs and mms at two keeps, two seeds: 1 x 2 + 2 x 2 x 2 cells."""
    for row in range(12):
        image = tmp_path / "set" / "images" / f"{row:02}.jpg"
        label = tmp_path / "set" / "labels" / f"{row:02}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (row * 20, 0, 0)).save(image)
        label.write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    (tmp_path / "set" / "data.yaml").write_text("train: images\nval: images\nnames: [a, b]\n")
    lines = [f"{row:02}.jpg,{row},{row % 5}" for row in range(12)]
    (tmp_path / "vectors.csv").write_text("\n".join(["image,x,y", *lines]) + "\n")
    content = {
        "name": "tiny",
        "dataset": "set/data.yaml",
        "features": {"backbone": "file:vectors.csv", "blocks": ["image"]},
        "reduce": {"methods": ["srs", "mms"], "keep": [0.5, 3], "seeds": [0, 1]},
        "train": {"model": "yolov8n.yaml", "seeds": [0, 1], "epochs": 1},
        "evaluate": {"on": "val"},
        "allow_leaks": True,
    }
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(content))
    return file
