"""An experiment that hides the labels: methods choose by the boxes of a detector, and trainings use the labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from made_detector import make_detector

import detreduce as dr
import detreduce.experiment.run as run_module
from detreduce.dataset.demo import make_demo
from detreduce.errors import InputError
from detreduce.experiment.config import load_config
from detreduce.selection.record import Selection

METHODS = ["herding", "class_coverage", "uncertainty", "disagreement"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hidden")
    make_demo(root / "demo", scenes=20, size=64)
    make_detector(root / "made.pt")
    make_detector(root / "other.pt", seed=1)
    return root


def written(folder: Path, name: str, **changes: Any) -> Path:
    content = {
        "name": "hidden",
        "dataset": "demo/data.yaml",
        "reduce": {"methods": METHODS, "keep": [5], "seeds": [0]},
        "features": {"detector": {"weights": "made.pt", "imgsz": 64}},
        "train": {"model": "yolov8n.yaml", "epochs": 1, "imgsz": 64, "seeds": [0]},
    }
    file = folder / name
    file.write_text(yaml.safe_dump({**content, **changes}))
    return file


def selections(ledger: dr.Ledger) -> dict[str, Selection]:
    found = [Selection.load(file) for file in sorted((ledger.path / "selections").glob("*.json"))]
    return {one.method: one for one in found}


def run(file: Path, output: Path, monkeypatch: pytest.MonkeyPatch, train: Any) -> dr.Ledger:
    monkeypatch.setattr(run_module, "train", train)
    return dr.run_experiment(file, output)


def test_methods_choose_by_predicted_boxes_and_trainings_use_labels(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in_train: Any
) -> None:
    trained: list[int] = []

    def counted(data: Any, **given: Any) -> Any:
        trained.append(int((~dr.load_dataset(data, split="train").box_crowd).sum()))
        return stand_in_train(data, **given)

    ledger = run(written(folder, "one.yaml"), tmp_path / "ledger", monkeypatch, counted)
    dataset = dr.load_dataset(folder / "demo" / "data.yaml", split="train")
    predicted = dr.predict_boxes(dataset, dr.Detector(folder / "made.pt", imgsz=64), mirrored=True)
    table = dr.extract_features(predicted)
    scores = dr.extract_features(predicted, blocks=("uncertainty", "disagreement"))
    found = selections(ledger)
    assert set(METHODS) <= set(found)
    for method in METHODS:
        source = scores if method in ("uncertainty", "disagreement") else table
        assert found[method].image_ids == dr.select(source, method, 5).image_ids
        assert found[method].provenance["detector"]["detector"] == "made.pt"
    boxes = [sum(len(dataset[row].class_ids) for row in one.indices) for one in found.values()]
    assert set(boxes) <= set(trained) and min(boxes) > 0
    for cell in ledger:
        assert cell.selection is None or "features" in cell.choosing or cell.cell["control"]
    cost = json.loads(next(ledger.path.glob("boxes-*.json")).read_text())
    assert cost["made"] + cost["from_cache"] == len(dataset)


def test_another_detector_makes_other_cells(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in_train: Any
) -> None:
    reduce = {"methods": ["class_coverage"], "keep": [5], "seeds": [0]}
    one = written(folder, "a.yaml", reduce=reduce)
    other = written(folder, "b.yaml", reduce=reduce, features={"detector": {"weights": "other.pt", "imgsz": 64}})
    by_label = written(folder, "c.yaml", reduce=reduce, features={})
    ledgers = [run(file, tmp_path / "ledger", monkeypatch, stand_in_train) for file in (one, other, by_label, one)]
    cells = [cell for cell in ledgers[-1] if cell.cell["method"] == "class_coverage"]
    assert len({cell.key for cell in cells}) == 3
    chosen = [Selection.load(file) for file in (tmp_path / "ledger" / "selections").glob("class_coverage-*.json")]
    assert sorted(np.unique([bool(one.provenance.get("detector")) for one in chosen]).tolist()) == [False, True]


def test_the_short_form_names_the_weights(folder: Path) -> None:
    config = load_config(written(folder, "short.yaml", features={"detector": "made.pt"}))
    assert config.features.detector is not None
    assert config.features.detector.weights == str(folder / "made.pt")
    assert config.features.detector.confidence == 0.25


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"features": {}}, "features.detector: missing"),
        ({"features": {"detector": "missing.pt/none.pt"}}, "features.detector"),
        ({"features": {"detector": {"weights": "made.pt", "confidence": 2}}}, "confidence"),
        ({"reduce": {"methods": ["el2n"], "keep": [5]}, "proxy": {"epochs": 2}}, "labels"),
    ],
)
def test_a_detector_that_does_not_fit_is_refused(folder: Path, changes: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        load_config(written(folder, "wrong.yaml", **changes))
