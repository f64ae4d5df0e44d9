"""A ledger of the former version: no cell is trained again, and every command reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from former_files import DATA, FILES
from typer.testing import CliRunner, Result

import detreduce as dr
from detreduce.cli import app
from detreduce.errors import InputError
from detreduce.experiment import run as run_module
from detreduce.experiment import sources as sources_module
from detreduce.experiment.advice.comparable import comparable_rows
from detreduce.experiment.advice.question import ask
from detreduce.experiment.advice.recipes import recommend

KEYS = sorted(folder.name for folder in (FILES / "ledger" / "cells").iterdir())


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return shutil.copytree(FILES / "ledger", tmp_path / "ledger")


@pytest.fixture
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a training began, though the ledger has all cells")

    monkeypatch.setattr(run_module, "train", refuse)
    monkeypatch.setattr(sources_module, "log_proxy_training", refuse)


def detreduce(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.usefixtures("nothing_is_trained")
def test_the_same_run_finds_every_cell(ledger: Path) -> None:
    run = dr.run_experiment(FILES / "experiment.yaml", ledger)
    assert run.cell_keys() == KEYS
    plan = json.loads((ledger / "plan.json").read_text(encoding="utf-8"))
    assert sorted(cell["key"] for cell in plan) == KEYS


@pytest.mark.usefixtures("nothing_is_trained")
def test_the_plan_is_written_as_it_was(ledger: Path) -> None:
    dr.run_experiment(FILES / "experiment.yaml", ledger)
    for name in ("plan.json", "near-duplicates.json", "leakage.json"):
        written = json.loads((FILES / "ledger" / name).read_text(encoding="utf-8"))
        assert json.loads((ledger / name).read_text(encoding="utf-8")) == written


@pytest.mark.usefixtures("nothing_is_trained")
def test_the_command_has_nothing_left_to_run(ledger: Path) -> None:
    detreduce("run", FILES / "experiment.yaml", "--output", ledger)
    assert dr.Ledger(ledger).cell_keys() == KEYS


def test_one_cell_that_is_missing_is_seen(ledger: Path) -> None:
    shutil.rmtree(ledger / "cells" / KEYS[-1])
    prepared = run_module.prepare_experiment(FILES / "experiment.yaml", ledger)
    assert [cell.key for cell in prepared.missing] == [KEYS[-1]]


def test_its_figures_are_listed(ledger: Path) -> None:
    rows = json.loads(detreduce("ledger", "list", ledger, "--json").stdout)
    listed = {row["key"]: row for row in (rows["cells"] if isinstance(rows, dict) else rows)}
    assert sorted(listed) == KEYS
    for key in KEYS:
        record = json.loads((FILES / "ledger" / "cells" / key / "train" / "record.json").read_text(encoding="utf-8"))
        assert listed[key]["mAP50_95"] == record["evaluation"]["mAP50_95"]


def test_the_report_is_written(ledger: Path) -> None:
    detreduce("report", ledger)
    page = (ledger / "report.html").read_text(encoding="utf-8")
    assert "<table" in page
    assert "vps" in page


def test_the_recipes_are_planned(ledger: Path) -> None:
    # its trainings have one epoch, so their mAP is 0
    with pytest.raises(InputError, match="too low to plan from"):
        recommend(comparable_rows(dr.Ledger(ledger)), ask(target=0.95))


def test_a_selection_of_a_cell_is_explained(ledger: Path) -> None:
    (selection,) = ledger.glob("cells/mms-*/selection.json")
    image = dr.Selection.load(selection).image_ids[0]
    answer = json.loads(detreduce("explain", selection, "--image", image, "--data", DATA, "--json").stdout)
    assert answer["kept"] is True


def test_a_part_takes_the_rest_from_it(ledger: Path, tmp_path: Path) -> None:
    part = shutil.copytree(ledger, tmp_path / "part")
    shutil.rmtree(part / "cells" / KEYS[0])
    detreduce("ledger", "merge", ledger, part)
    assert dr.Ledger(part).cell_keys() == KEYS
    detreduce("ledger", "export", part, tmp_path / "cells.csv")
    assert len((tmp_path / "cells.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(KEYS)
