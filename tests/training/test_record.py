"""The record's file: complete or absent, and readable on other machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detreduce.errors import InputError, MissingFileError
from detreduce.experiment.statistics.break_even import choosing_wh
from detreduce.figures.cost import cost_of
from detreduce.training.energy import ComponentEnergy, PhaseEnergy
from detreduce.training.evaluation.figures import Evaluation
from detreduce.training.record import Counts, DataFacts, ModelFacts, TrainingRecord


def make_record(**changes: object) -> TrainingRecord:
    values: dict = {
        "evaluation": Evaluation(
            splits=["val", "test"], images=9, boxes=20, mAP50=0.5, mAP50_95=0.25, precision=0.6, recall=0.4
        ),
        "energy": {
            "training": PhaseEnergy(
                seconds=90,
                wh=3.0,
                g_co2=0.5,
                components={
                    "gpu": ComponentEnergy(wh=2.0, provenance="measured", method="NVML"),
                    "ram": ComponentEnergy(wh=1.0, provenance="constant", method="slots"),
                },
            )
        },
        "seconds": 90.0,
        "counts": Counts(optimiser_steps=7, batches=28, images_seen=448, epochs=1),
        "data": DataFacts(
            path="/data", hash="h", splits={"train": 5}, train_images=5, train_boxes=11, class_names=["a"]
        ),
        "model": ModelFacts(
            name="n.pt", task="detect", parameters=3, weights_before=None, weights_after="w", weights_file="f"
        ),
        "choose": "last",
        "seed": 3,
        "imgsz": 64,
        "arguments": {"epochs": 1, "freeze": [0, 1]},
        "resolved": {"optimizer": "AdamW"},
        "history": [{"epoch": 1, "loss": 2.5}],
        "device": "cpu",
        "cpu": "c",
        "threads": 1,
        "versions": {"python": "3.11"},
        "started": "2026-01-01T00:00:00+00:00",
        "run": "/run",
    }
    return TrainingRecord(**{**values, **changes})


def test_round_trip(tmp_path: Path) -> None:
    record = make_record()
    assert record.save(tmp_path) == tmp_path / "record.json"
    moved = record.model_copy(update={"run": str(tmp_path)})
    assert TrainingRecord.load(tmp_path) == moved, "the run is where the record was found"
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"], "nothing unfinished stays"


def test_a_diverged_loss_is_still_json(tmp_path: Path) -> None:
    make_record(history=[{"epoch": 1, "loss": float("nan")}]).save(tmp_path)
    assert json.loads((tmp_path / "record.json").read_text(), parse_constant=pytest.fail)
    assert TrainingRecord.load(tmp_path).history[0]["loss"] is None


def test_row() -> None:
    row = make_record().row()
    assert row["mAP50"] == 0.5
    assert row["mAP50_95"] == 0.25
    assert row["Wh"] == 3.0
    assert row["Wh_measured"] == 2.0
    assert row["minutes"] == 1.5
    assert row["evaluated_on"] == "val+test"
    assert all(not isinstance(value, (dict, list)) for value in row.values())
    without = make_record(energy={"training": PhaseEnergy(seconds=1, unavailable="why")}, evaluation=None).row()
    assert without["Wh"] is None and without["Wh_measured"] is None and without["mAP50"] is None


def test_the_energy_of_a_recipe_is_in_the_row() -> None:
    assert "stream_Wh" not in make_record().row()
    phases = {**make_record().energy, "stream": PhaseEnergy(seconds=5, wh=0.5), "selection": PhaseEnergy(seconds=2)}
    row = make_record(energy=phases).row()
    assert (row["stream_Wh"], row["stream_seconds"], row["Wh"]) == (0.5, 5, 3.0)
    # the energy was not metered, so it is not 0
    assert (row["selection_Wh"], row["selection_seconds"]) == (None, 2)
    assert choosing_wh([{**row, "method": "herding"}]) is None
    assert choosing_wh([{**row, "selection_Wh": 0.25}]) == 0.75
    assert cost_of({**row, "selection_Wh": 0.25}, "Wh") == 3.75


def test_what_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=str(tmp_path)):
        TrainingRecord.load(tmp_path)
    (tmp_path / "record.json").write_text('{"seed": 1}')
    with pytest.raises(InputError, match="not a training record"):
        TrainingRecord.load(tmp_path)
    make_record().save(tmp_path)
    content = json.loads((tmp_path / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps({**content, "extra": 1}))
    with pytest.raises(InputError, match="not a training record"):
        TrainingRecord.load(tmp_path)


@pytest.mark.parametrize("number", [10**40, 10**400, -(10**40)])
def test_whole_numbers_that_no_float_holds_are_refused(tmp_path: Path, number: int) -> None:
    make_record().save(tmp_path)
    content = json.loads((tmp_path / "record.json").read_text())
    parts = (content, *(content[name] for name in ("counts", "data", "model", "evaluation")))
    places = [(part, name) for part in parts for name in part]
    whole = [(part, name) for part, name in places if type(part[name]) is int and name != "schema_version"]
    assert len(whole) >= 10
    for part, name in whole:
        former, part[name] = part[name], number
        (tmp_path / "record.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match=name):
            TrainingRecord.load(tmp_path).row()
        part[name] = former
