"""Corruptions that are added to an experiment do not train its cells again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from detreduce.errors import InputError
from detreduce.experiment import corrupted_cells
from detreduce.experiment import run as run_module
from detreduce.experiment.run import run_experiment
from detreduce.training.energy import PhaseEnergy


@pytest.fixture
def run(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Any, list[str], list[str]]]:
    trained: list[str] = []

    def counted(data: Any, **arguments: Any) -> Any:
        trained.append(str(arguments["output"]))
        return stand_in_train(data, **arguments)

    monkeypatch.setattr(run_module, "train", counted)

    def again(**evaluate: Any) -> tuple[Any, list[str], list[str]]:
        content = yaml.safe_load(config.read_text())
        content["evaluate"] |= evaluate
        config.write_text(yaml.safe_dump(content))
        trained.clear()
        said: list[str] = []
        return run_experiment(config, config.parent / "ledger", say=said.append), list(trained), said

    return again


def test_finished_cells_are_only_evaluated(
    run: Callable[..., tuple[Any, list[str], list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluated(record: Any, how: Any, corruptions: Any) -> Any:
        assert corruptions == ["jpeg"] and how.evaluate_on == "val"
        energy = {**record.energy, "robustness": PhaseEnergy(seconds=1.0, wh=0.1, g_co2=0.0)}
        return record.model_copy(update={"energy": energy, "warnings": ["corrupted"]})

    monkeypatch.setattr(corrupted_cells, "with_corruptions", evaluated)
    before, trained, _ = run()
    keys = set(before.cell_keys())
    assert len(trained) == len(keys) == 10
    after, trained, _ = run(corruptions=["jpeg"])
    assert trained == [] and len(after) == 20 and keys < set(after.cell_keys())
    new = [after[key] for key in after.cell_keys() if key not in keys]
    assert all(cell.training.warnings == ["corrupted"] for cell in new)
    former = {
        (cell.cell["label"], repr(cell.cell["keep"]), cell.training.seed): cell for cell in map(after.__getitem__, keys)
    }
    for cell in new:
        other = former[cell.cell["label"], repr(cell.cell["keep"]), cell.training.seed]
        assert cell.selection == other.selection and cell.training.evaluation == other.training.evaluation
        assert cell.cell["key"] == cell.key and cell.choosing == other.choosing


def test_their_forecast_is_that_of_the_evaluation(
    run: Callable[..., tuple[Any, list[str], list[str]]], config: Path, stand_in_train: Callable[..., Any]
) -> None:
    ledger, _, _ = run()
    for key in ledger.cell_keys():
        record = ledger[key].training
        energy = {**record.energy, "evaluation": PhaseEnergy(seconds=2.0, wh=0.5)}
        record.model_copy(update={"energy": energy}).save(ledger.cell_folder(key) / "train")
    content = yaml.safe_load(config.read_text())
    content["evaluate"]["corruptions"] = ["jpeg", "blur"]
    config.write_text(yaml.safe_dump(content))
    found = run_module.prepare_experiment(config, ledger.path).overview
    # two corruptions in three severities
    assert (found.to_run, found.seconds, found.wh) == (10, pytest.approx(10 * 12), pytest.approx(10 * 3))


def test_without_usable_weights_they_are_trained_and_it_says_so(
    run: Callable[..., tuple[Any, list[str], list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> Any:
        raise InputError("last.pt is not kept.")

    monkeypatch.setattr(corrupted_cells, "with_corruptions", missing)
    run()
    after, trained, said = run(corruptions=["jpeg"])
    assert len(trained) == 10 and len(after) == 20
    assert sum("last.pt is not kept." in line for line in said) == 10
