"""The command `tune`: its plan, its output, its exit codes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from detreduce.cli import app
from detreduce.training.recipes.reading import read_recipe


@pytest.fixture
def data(splits: Callable[..., Path]) -> Path:
    return splits(train=20, val=3, test=4)


def call(data: Path, *more: object) -> Result:
    recipes = data.parent / "recipes.yaml"
    recipes.write_text("- {batch: 1}\n- {batch: 4}\n- {batch: 8}\n")
    arguments = ["tune", data, "--model", "yolov8n.yaml", "--recipes", recipes, "--output", data.parent / "t"]
    arguments += ["epochs=40", "batch=2", "nbs=2", "imgsz=64", *more]
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_dry_run_shows_the_rungs_and_writes_nothing(data: Path, trainer: Any) -> None:
    result = call(data, "--budget-tflops", 7.2, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    rungs = [(one["count"], one["length"], one["trainings"], one["is_comparison"]) for one in content["planned"]]
    assert rungs == [(4, 120, 4, False), (2, 240, 2, False), (2, 240, 6, True)]
    assert sum(one["cost"] for one in content["planned"]) == pytest.approx(7.2)
    assert (content["judged_on"], content["confirmed_on"], content["full"]) == ("val", "test", 800)
    shown = call(data, "--budget-tflops", 7.2, "--dry-run")
    assert "7.20" in shown.output and "12" in shown.output
    # 60 s and 3 Wh a TFLOP, and the start of each training
    timed = json.loads(call(data, "--minutes", 20, "--dry-run", "--json").stdout)
    first = timed["planned"][0]
    assert first["cost"] == pytest.approx(4 * (first["length"] * 0.003 + 3 / 60 + 3 * 0.001))
    assert timed["estimated_from"] == 0
    assert not trainer.calls and not (data.parent / "t").exists()
    # 7.2 TFLOPs of trainings, 60 s and 3 Wh each, and the starts and evaluations
    assert content["expected"]["TFLOPs"] == pytest.approx(7.2)
    assert 7.2 < content["expected"]["minutes"] < 9 and 21.6 < content["expected"]["Wh"] < 27
    assert "12 trainings are left: about 7.20 TFLOPs, about" in " ".join(shown.output.split())


def test_a_budget_far_above_the_largest_plan_is_said(data: Path, trainer: Any) -> None:
    shown = [" ".join(call(data, "--budget-tflops", budget, "--dry-run").output.split()) for budget in (7.2, 1000)]
    assert "so a smaller budget gives the same plan" not in shown[0]
    assert "The largest plan costs" in shown[1] and "so a smaller budget gives the same plan" in shown[1]
    result = call(data, "--budget-tflops", 7.2)
    assert "12 trainings are left: about 7.20 TFLOPs" in result.stderr


def test_a_tuning_ends_with_a_recipe_and_a_command_that_parses(data: Path, trainer: Any) -> None:
    result = call(data, "--budget-tflops", 7.2)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[-1].startswith("Next: detreduce train ")
    words = shlex.split(lines[-1].removeprefix("Next: "))
    assert read_recipe(words[words.index("--recipe") + 1]).batch == 1
    conclusion = next(line for line in lines if line.startswith("Conclusion: "))
    assert "batch1" in conclusion and "3 fresh seeds" in conclusion
    again = call(data, "--budget-tflops", 7.2, "--json")
    content = json.loads(again.stdout)
    assert content["kind"] == "better" and len(trainer.calls) == 12
    finished = json.loads(call(data, "--budget-tflops", 7.2, "--dry-run", "--json").stdout)
    assert [one["finished"] for one in finished["planned"]] == [4, 2, 6]
    assert sum(one["cost"] for one in finished["planned"]) == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--budget-tflops", 1], "the smallest budget is 1.5 TFLOPs"),
        (["--budget-wh", 1], "the smallest budget is about"),
        ([], "exactly one budget"),
        (["--budget-wh", 1, "--minutes", 1], "exactly one budget"),
        (["--minutes", "nan"], "above 0"),
        (["--budget-tflops", 7, "model=yolov8n.pt"], "--model yolov8n.pt"),
    ],
)
def test_wrong_input_is_exit_code_2(data: Path, trainer: Any, given: list[object], words: str) -> None:
    result = call(data, *given)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert not trainer.calls


def test_ctrl_c_keeps_what_is_finished(data: Path, trainer: Any) -> None:
    trainer.interrupt_at = 3
    assert call(data, "--budget-tflops", 7.2).exit_code == 130
    assert call(data, "--budget-tflops", 7.2).exit_code == 0
    assert len(trainer.calls) == 13
