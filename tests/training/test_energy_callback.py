"""The energy of a training outside detreduce."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import detreduce as dr
from detreduce.errors import InputError
from detreduce.training.energy import meter as energy


class Tracker:
    """A stand-in tracker of one Wh a measurement; it records whether it runs."""

    def __init__(self, running: list[Tracker]) -> None:
        self._hardware: list[Any] = []
        self.running = running
        self.final_emissions_data: Any = None

    def start(self) -> None:
        self.running.append(self)

    def stop(self) -> None:
        self.running.remove(self)
        self.final_emissions_data = SimpleNamespace(
            energy_consumed=0.001, emissions=0.0001, cpu_energy=0.001, gpu_energy=0.0, ram_energy=0.0
        )


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[Tracker]:
    """The trackers that run."""
    trackers: list[Tracker] = []
    monkeypatch.setattr(energy, "make_tracker", lambda country: Tracker(trackers))
    return trackers


@pytest.fixture
def trainer(tmp_path: Path) -> SimpleNamespace:
    return SimpleNamespace(save_dir=tmp_path / "run")


def test_phases_and_file(running, trainer, tmp_path, capsys):
    callback = dr.energy_callback(country="fra")
    assert callback.country == "FRA"
    for event in ("on_train_start", "on_val_start", "on_val_end", "on_train_end", "teardown"):
        callback[event](trainer)
        assert len(running) == (event not in ("on_train_end", "teardown"))
    content = json.loads((tmp_path / "run/energy.json").read_text())
    # training was paused once
    assert {name: phase["wh"] for name, phase in content["phases"].items()} == {"training": 2.0, "validation": 1.0}
    assert (content["total"]["wh"], content["completed"]) == (3.0, True)
    assert callback.total.wh == pytest.approx(3.0)
    assert "France" in content["carbon_intensity"]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Energy: 3 Wh (), 0.3 g CO2, 0.0 min; see ")
    assert callback.file == tmp_path / "run/energy.json"
    assert repr(callback).startswith("EnergyCallback(FRA, 3 Wh")


def test_a_failed_training_stops_the_meter(running, trainer, tmp_path, capsys):
    callback = dr.energy_callback()
    for event in ("on_train_start", "on_val_start", "teardown"):
        callback[event](trainer)
    assert running == []
    assert json.loads((tmp_path / "run/energy.json").read_text())["completed"] is False
    assert capsys.readouterr().out.endswith("(the training failed)\n")


def test_a_new_training_starts_from_zero_and_ends_a_forgotten_one(running, trainer):
    callback = dr.energy_callback()
    callback["on_train_start"](trainer)
    callback["on_train_start"](trainer)
    assert len(running) == 1
    callback["on_train_end"](trainer)
    assert callback.total.wh == pytest.approx(1.0)


def test_validation_by_itself_is_not_metered(running, trainer, tmp_path):
    callback = dr.energy_callback()
    for event in ("on_val_start", "on_val_end"):
        callback[event](trainer)
    assert (running, callback.phases, (tmp_path / "run").exists()) == ([], {}, False)


def test_a_folder_that_cannot_be_written_is_said_and_no_more(running, tmp_path, capsys):
    (tmp_path / "run").write_text("a file")
    callback = dr.energy_callback()
    for event in ("on_train_start", "on_train_end"):
        callback[event](SimpleNamespace(save_dir=tmp_path / "run"))
    assert "energy.json cannot be written" in capsys.readouterr().out
    assert (callback.file, callback.total.wh) == (None, pytest.approx(1.0))


def test_no_meter_no_failure(monkeypatch, trainer, tmp_path, capsys):
    def broken(country: str) -> Any:
        raise RuntimeError("no sensors")

    monkeypatch.setattr(energy, "make_tracker", broken)
    callback = dr.energy_callback()
    for event in ("on_train_start", "on_train_end"):
        callback[event](trainer)
    assert "not metered (codecarbon: no sensors)" in capsys.readouterr().out
    assert json.loads((tmp_path / "run/energy.json").read_text())["total"]["wh"] is None


def test_unknown_country():
    with pytest.raises(InputError, match="'Spain'"):
        dr.energy_callback(country="Spain")


@pytest.mark.train
def test_a_real_training(tiny, tmp_path, capsys, monkeypatch):
    from ultralytics import YOLO

    monkeypatch.chdir(tmp_path)
    model = YOLO("yolov8n.yaml")
    callback = dr.energy_callback().attach(model)
    wanted: dict[str, Any] = {"imgsz": 64, "batch": 8, "workers": 0, "plots": False, "verbose": False, "device": "cpu"}
    model.train(data=str(tiny), epochs=1, project=str(tmp_path / "runs"), name="mine", **wanted)
    content = json.loads((tmp_path / "runs/mine/energy.json").read_text())
    assert content["completed"] is True
    assert set(content["phases"]) == {"training", "validation"}
    assert all(phase["seconds"] > 0 for phase in content["phases"].values())
    assert content["total"]["seconds"] == pytest.approx(sum(p["seconds"] for p in content["phases"].values()))
    for part in content["total"]["components"].values():
        assert part["provenance"] in ("measured", "modelled", "constant")
        assert part["method"]
    assert sum(part["wh"] for part in content["total"]["components"].values()) == pytest.approx(content["total"]["wh"])
    assert f"see {tmp_path}/runs/mine/energy.json" in capsys.readouterr().out

    def crash(trainer: Any) -> None:
        raise RuntimeError("on purpose")

    model.add_callback("on_train_epoch_end", crash)
    with pytest.raises(RuntimeError, match="on purpose"):
        model.train(data=str(tiny), epochs=1, project=str(tmp_path / "runs"), name="bad", **wanted)
    content = json.loads((tmp_path / "runs/bad/energy.json").read_text())
    assert (content["completed"], set(content["phases"])) == (False, {"training"})
    assert callback._open == {}
