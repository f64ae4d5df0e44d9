from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from detreduce.experiment import run as run_module
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.run import prepare_experiment, run_experiment
from detreduce.experiment.searches import leakage as module
from detreduce.experiment.searches.leakage import LEAKAGE_FILE, read_leakage


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Six images in train and three images in val. One image of val is a copy of the first image of train."""
    rng = np.random.default_rng(0)
    for number in range(9):
        folder = "val" if number > 5 else "train"
        image = tmp_path / folder / "images" / f"{number}.png"
        label = tmp_path / folder / "labels" / f"{number}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((12, 12, 1))).astype(np.uint8)
        Image.fromarray(pixels).save(image)
        label.write_text("0 0.5 0.5 0.4 0.4\n")
    (tmp_path / "val/images/6.png").write_bytes((tmp_path / "train/images/0.png").read_bytes())
    (tmp_path / "data.yaml").write_text("train: train/images\nval: val/images\nnames: [a]\n")
    content = {
        "name": "leaky",
        "dataset": "data.yaml",
        "reduce": {"methods": ["srs"], "keep": [0.5]},
        "train": {"model": "yolov8n.yaml", "epochs": 1},
        "allow_leaks": True,
    }
    (tmp_path / "leaky.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "leaky.yaml"


def test_a_comparison_says_what_the_splits_share(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    ledger = run_experiment(config, config.parent / "ledger")
    found = read_leakage(ledger)
    assert found["counts"] == {"train / val": {"exact": 1, "near": 0, "of": 3}}
    assert [(item["image"], item["other"]) for item in found["leaked"]] == [("val/images/6.png", "train/images/0.png")]
    written = (ledger.path / LEAKAGE_FILE).stat().st_mtime_ns
    run_experiment(config, ledger.path)
    assert (ledger.path / LEAKAGE_FILE).stat().st_mtime_ns == written, "looked for once"
    (config.parent / "val/images/6.png").write_bytes((config.parent / "train/images/1.png").read_bytes())
    run_experiment(config, ledger.path)
    assert read_leakage(ledger)["leaked"][0]["other"] == "train/images/1.png"


def test_leaks_by_pixels_are_told_before_the_first_training(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(config.parent / "train/images/0.png") as image:
        image.save(config.parent / "val/images/6.png", compress_level=1)
    said: list[str] = []

    def train(*arguments: Any, **options: Any) -> Any:
        said.append("training")
        return stand_in_train(*arguments, **options)

    monkeypatch.setattr(run_module, "train", train)
    ledger = config.parent / "ledger"
    prepared = prepare_experiment(config, ledger)
    assert prepared.leak_warning is None and not prepared.pixels_compared
    run_experiment(config, ledger, say=said.append)
    warned = [place for place, line in enumerate(said) if "1 of the 3 images of val is also in train" in line]
    assert warned and warned[0] < said.index("training")
    again = prepare_experiment(config, ledger)
    assert again.leak_warning is not None and again.pixels_compared


def test_of_too_many_pairs_it_says_that_it_did_not_look(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(most_pairs: int) -> dict[str, Any]:
        def keep(*arguments: Any) -> None:
            module.keep_leakage(*arguments, most_pairs=most_pairs)

        monkeypatch.setattr(run_module, "keep_leakage", keep)
        said.clear()
        return read_leakage(run_experiment(config, config.parent / str(most_pairs), say=said.append))

    said: list[str] = []
    monkeypatch.setattr(run_module, "train", stand_in_train)
    assert looked(18)["counts"]["train / val"]["exact"] == 1, "6 times 3 pairs"
    assert not any("not searched" in line for line in said)
    found = looked(17)
    assert found["splits"] == {"train": 6, "val": 3} and "counts" not in found
    assert any("more than 17 pairs of images" in line for line in said)


@pytest.mark.parametrize("content", [None, "[]", "{", json.dumps({"data": "other"})])
def test_a_ledger_without_a_report(tmp_path: Path, content: str | None) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    if content is not None:
        (ledger.path / LEAKAGE_FILE).write_text(content)
    assert read_leakage(ledger).get("counts", {}) == {}
