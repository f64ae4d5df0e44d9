"""The cells that a plan uses. Cells of earlier plans count too if only images, epochs and seeds differ."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from detreduce.experiment import corrupted_cells
from detreduce.experiment import run as run_module
from detreduce.experiment.advice.answer import PlannedRecipe
from detreduce.experiment.advice.comparable import comparable_rows, rows_with_recipes
from detreduce.experiment.advice.recipe_file import train_command
from detreduce.experiment.advice.settings import Setting
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.run import run_experiment
from detreduce.training.energy import PhaseEnergy


@pytest.fixture
def run(config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ledger]:
    def recording(data: Any, **arguments: Any) -> Any:
        record = stand_in_train(data, **arguments)
        kept = {name: arguments[name] for name in ("epochs", "batch", "nbs", "freeze", "lr0") if name in arguments}
        facts = record.data.model_copy(update={"splits": {"train": record.data.train_images}})
        measured = record.evaluation.model_copy(update={"splits": ["val"]})
        update = {"arguments": kept, "imgsz": arguments.get("imgsz", 64), "data": facts, "evaluation": measured}
        record = record.model_copy(update=update)
        record.save(arguments["output"])
        return record

    monkeypatch.setattr(run_module, "train", recording)

    def changed(recipes: list[Any] | None = None, **train: Any) -> Ledger:
        content = yaml.safe_load(config.read_text())
        content["train"] |= train
        content |= {} if recipes is None else {"recipes": recipes, "controls": ["full", "full_equal_iterations"]}
        config.write_text(yaml.safe_dump(content))
        return run_experiment(config, config.parent / "ledger")

    return changed


def test_other_epochs_belong_together(run: Callable[..., Ledger]) -> None:
    assert len(comparable_rows(run(epochs=1))) == 10
    ledger = run(epochs=2)
    assert len(comparable_rows(ledger)) == 20
    assert {row["epochs"] for row in comparable_rows(ledger)} == {1}, "the stand-in trains one"


def test_a_training_that_is_evaluated_again_counts_once(
    run: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = run(epochs=1)
    before = comparable_rows(ledger)
    monkeypatch.setattr(
        corrupted_cells,
        "with_corruptions",
        lambda record, *_: record.model_copy(update={"energy": {**record.energy, "robustness": PhaseEnergy(wh=1.0)}}),
    )
    config = ledger.path.parent / "tiny.yaml"
    content = yaml.safe_load(config.read_text())
    content["evaluate"]["corruptions"] = ["jpeg"]
    config.write_text(yaml.safe_dump(content))
    again = run_experiment(config, ledger.path)
    assert len(again) == 2 * len(before) and len(comparable_rows(again)) == len(before)


def test_other_sizes_and_batches_do_not(run: Callable[..., Ledger]) -> None:
    run(epochs=1)
    ledger = run(imgsz=96)
    assert len(ledger) == 20 and len(comparable_rows(ledger)) == 10
    assert len(comparable_rows(run(imgsz=96, batch=4))) == 10


def test_a_plan_of_which_nothing_is_finished_leaves_the_others(
    run: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = run(epochs=1)
    ledger.write_text("plan.json", '[{"key": "another"}]')
    assert len(comparable_rows(ledger)) == 10


def test_recipes_join_where_only_their_settings_differ(run: Callable[..., Ledger]) -> None:
    used = [{"batch": 2}, {"imgsz": 96, "images_seen": 9}, {"subset": {"name": "mms", "keep": 0.5}, "batch": 4}]
    other = [{"stream": "class_uniform", "batch": 2}, {"lr0": 0.5}, {"batch": 4, "lr0": "sqrt"}]
    ledger = run(recipes=[*used, *other], batch=8)
    base = comparable_rows(ledger)
    rows = rows_with_recipes(ledger, base)
    assert all(row["setting"] == Setting(8, 8, 64, 0) for row in rows[: len(base)])
    added = {(row["label"], row["setting"]) for row in rows[len(base) :]}
    assert added == {
        ("full_equal_iterations", Setting(2, 2, 64, 0)),
        ("full_equal_iterations", Setting(8, 8, 96, 0)),
        ("mms", Setting(4, 4, 64, 0)),
    }


def test_a_ledger_without_recipes_keeps_its_rows(run: Callable[..., Ledger]) -> None:
    ledger = run(epochs=1)
    assert rows_with_recipes(ledger, comparable_rows(ledger)) == comparable_rows(ledger)
    other = run(recipes=[{"stream": "class_uniform"}])
    assert rows_with_recipes(other, comparable_rows(other)) == comparable_rows(other)


def test_the_command_trains_as_the_cells_did(run: Callable[..., Ledger]) -> None:
    ledger = run(recipes=[{"batch": 2}], batch=8, freeze=3)
    planned = PlannedRecipe("full", 1.0, 12, 1, 0.5, 0.4, 0.6, 0.5, 1.0, 0.0, settings=(("batch", 2),))
    words = shlex.split(train_command(ledger, comparable_rows(ledger), planned, Path("best.yaml"), 20))
    assert words[:2] == ["detreduce", "train"] and words[2].endswith("set/data.yaml")
    options = ["--model", "yolov8n.yaml", "--recipe", "best.yaml", "--on", "val", "--allow-leaks"]
    assert words[3 : 3 + len(options)] == options
    assert {"freeze=3", "epochs=20"} <= set(words) and not {"batch=8", "nbs=8"} & set(words)


def test_the_command_measures_on_the_splits_of_the_cells(run: Callable[..., Ledger]) -> None:
    config = run(epochs=1).path.parent / "tiny.yaml"
    content = yaml.safe_load(config.read_text())
    del content["evaluate"]
    config.write_text(yaml.safe_dump(content))
    ledger = run_experiment(config, config.parent / "other")
    planned = PlannedRecipe("full", 1.0, 12, 1, 0.5, 0.4, 0.6, 0.5, 1.0, 0.0)
    words = shlex.split(train_command(ledger, comparable_rows(ledger), planned, Path("best.yaml"), 20))
    assert words[words.index("--on") + 1] == "val" and "None" not in words


def test_an_empty_ledger_has_none(tmp_path: Path) -> None:
    assert comparable_rows(Ledger.create(tmp_path)) == []
