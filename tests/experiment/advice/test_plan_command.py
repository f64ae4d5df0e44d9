from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from test_recipes import recipe, rows, without_choosing
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.cli.show.plan import _describe_cost, show_written
from detreduce.experiment.advice import comparable


def plan(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cells").mkdir()
    monkeypatch.setattr(comparable, "comparable_rows", lambda ledger: rows())
    monkeypatch.setenv("COLUMNS", "150")
    return tmp_path


def test_a_target(ledger: Path) -> None:
    result = plan(ledger, "--target", 0.9)
    assert result.exit_code == 0, result.output
    assert "All images, 20 epochs: mAP50-95" in result.stdout and "13 configurations" in result.stdout
    assert "For 90% of this " in result.stdout
    assert "probability of reaching the target" in result.stdout
    assert "the variance" in result.stdout
    found = json.loads(plan(ledger, "--target", 0.9, "--json").stdout)
    assert found["best"]["total_wh"] < found["full"]["wh"]


def test_a_budget_and_what_cannot_be_reached(ledger: Path) -> None:
    assert "For at most 4 Wh:" in plan(ledger, "--budget-wh", 4).stdout
    result = plan(ledger, "--target", 1.5)
    assert result.exit_code == 0
    assert "150%" in result.stdout and "50%" in result.stdout


def test_what_choosing_took_may_not_be_known(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparable, "comparable_rows", lambda ledger: without_choosing("good"))
    shown = plan(ledger, "--budget-wh", 3.5).stdout
    (line,) = (line for line in shown.splitlines() if "good" in line and "│" in line)
    assert " + ?" in line and shown.count(" + ?") == 1
    assert "For at most 3.5 Wh: good" not in shown and "choosing by good" in shown


def test_where_the_best_is_one_whose_choosing_is_not_known() -> None:
    full, best = recipe("full", 0.6, 8.0, 0.0), recipe("good", 0.5, 2.0, None)
    said = _describe_cost(best, full)
    assert "2.00 Wh" in said and "8.00 Wh" in said and "%" not in said


def test_a_budget_that_limits_nothing_and_one_that_nothing_fits(ledger: Path) -> None:
    shown = plan(ledger, "--budget-wh", 5000).stdout
    most = json.loads(plan(ledger, "--budget-wh", 5000, "--json").stdout)["most_wh"]
    assert f"more than any recipe needs: the most expensive recipe needs {most:.2f} Wh" in shown
    assert "more than any recipe" not in plan(ledger, "--budget-wh", 4).stdout
    assert "No recipe needs at most 0.001 Wh. The cheapest recipe needs" in plan(ledger, "--budget-wh", 0.001).stdout


def test_what_is_saved_has_no_minus_and_what_costs_more_has_a_plus() -> None:
    full = recipe("full", 0.6, 8.0, 0.0)
    assert _describe_cost(recipe("good", 0.5, 2.0, 0.0), full).endswith("saves 6.00 Wh of the 8.00 Wh of full (75%).")
    assert _describe_cost(recipe("good", 0.5, 10.0, 0.0), full).endswith("2.00 Wh more than full (+25%).")
    assert _describe_cost(recipe("good", 0.5, 8.01, 0.0), full).endswith("the same energy as full.")


def test_unfinished_cells_come_before_other_advice(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparable, "comparable_rows", lambda ledger: rows()[:4])
    (ledger / "plan.json").write_text(json.dumps([{"key": f"{place:016x}"} for place in range(6)]))
    stopped = plan(ledger, "--target", 0.9)
    assert stopped.exit_code == 2
    said = " ".join(stopped.stderr.split())
    assert "6 of 6 cells" in said and "detreduce run" in said and "Add other keeps" not in said
    (ledger / "plan.json").unlink()
    said = " ".join(plan(ledger, "--target", 0.9).stderr.split())
    assert "Add other keeps" in said and "detreduce run" not in said


@pytest.mark.parametrize("overlapped", [True, False])
def test_energy_of_overlapped_trainings_is_marked_after_its_reason(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, overlapped: bool
) -> None:
    found = [{**row, "overlapped": overlapped} for row in rows()]
    monkeypatch.setattr(comparable, "comparable_rows", lambda ledger: found)
    shown = plan(ledger, "--target", 0.9).stdout
    assert ("Wh*" in shown) == overlapped
    assert (shown.partition(" Wh")[0].startswith("* ")) == overlapped
    assert json.loads(plan(ledger, "--target", 0.9, "--json").stdout)["overlapped"] is overlapped


def test_a_recipe_of_other_length_than_the_command_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    best = recipe("srs", 0.5, 2.0, 0.0)
    show_written("best.yaml", "detreduce train", best, best.epochs)
    assert str(best.images_seen) not in capsys.readouterr().out
    show_written("best.yaml", "detreduce train", best, best.epochs + 1)
    shown = capsys.readouterr().out
    assert f"images_seen: {best.images_seen}" in shown and f"epochs={best.epochs + 1}" in shown


def test_bad_questions(ledger: Path) -> None:
    result = plan(ledger / "none")
    assert result.exit_code == 2
    assert str(ledger / "none") in result.stderr
    assert "target=-1" in plan(ledger, "--target", -1).stderr
