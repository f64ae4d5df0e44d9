"""An experiment does not start on splits whose classes cannot be joined, or without images to measure on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.preflight import check_experiment


def test_classes_that_cannot_be_joined_are_found_before_the_first_cell(tmp_path: Path) -> None:
    for split, keys in (("train", (1, 2)), ("val", (3, 4))):
        Image.new("RGB", (64, 32)).save(tmp_path / f"{split}.png")
        content = {
            "images": [{"id": 1, "file_name": f"{split}.png", "width": 64, "height": 32}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": keys[0], "bbox": [1, 1, 9, 9]}],
            "categories": [{"id": key, "name": "a"} for key in keys],
        }
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
    dataset = load_dataset(tmp_path / "train.json")
    config = ExperimentConfig.model_validate(
        {
            "name": "x",
            "dataset": str(tmp_path / "train.json"),
            "reduce": {"methods": ["srs"], "keep": [1.0], "seeds": [0]},
            "train": {"model": "yolo11n.yaml", "epochs": 1, "seeds": [0]},
        }
    )
    with pytest.raises(InputError, match="cannot be joined by class name"):
        check_experiment(config, dataset, "auto")


@pytest.mark.parametrize("other", ["", "val: images\n", "test: images\n"])
def test_without_val_and_test_nothing_can_be_measured(tmp_path: Path, other: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for row in range(2):
        Image.new("RGB", (64, 32), (row, 0, 0)).save(tmp_path / f"images/{row}.png")
        (tmp_path / f"labels/{row}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text(f"train: images\n{other}names: [a]\n")
    config = ExperimentConfig.model_validate(
        {
            "name": "x",
            "dataset": str(tmp_path / "data.yaml"),
            "reduce": {"methods": ["srs"], "keep": [0.5], "seeds": [0]},
            "train": {"model": "yolo11n.yaml", "epochs": 1, "seeds": [0]},
        }
    )
    dataset = load_dataset(tmp_path / "data.yaml")
    if other:
        check_experiment(config, dataset, "auto")
    else:
        with pytest.raises(InputError, match="neither a val nor a test split"):
            check_experiment(config, dataset, "auto")
