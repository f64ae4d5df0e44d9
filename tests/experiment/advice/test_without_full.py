"""Advice from a ledger in which no training on all images for all epochs is finished."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_recipes import rows as rows_with_full
from test_settings_on_the_surface import BASE
from test_surface import EPOCHS, TOTAL
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.errors import InputError
from detreduce.experiment import run as run_module
from detreduce.experiment.advice import recipes
from detreduce.experiment.advice.question import ask
from detreduce.experiment.advice.recipes import recommend
from detreduce.experiment.advice.settings import Setting
from detreduce.experiment.run import run_experiment


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick fit: these tests are about what is asked, not about the intervals."""
    monkeypatch.setattr(recipes, "fit_surface", partial(recipes.fit_surface, samples=30))


KEPT = Path(__file__).parents[3] / "docs" / "results" / "recipes_aquarium.json"


def kept_rows() -> list[dict[str, Any]]:
    """The rows of recipes at 900 images seen and their equal-steps control, as a ledger gives them."""
    found = []
    for row in json.loads(KEPT.read_text())["cells"]:
        batch = (row.get("recipe") or {}).get("batch", 16)
        found.append({**row, "label": "full_equal_iterations", "setting": Setting(batch, batch, 320, 10)})
    return found


def without(*controls: str) -> list[dict[str, Any]]:
    return [{**row, "of": TOTAL} for row in rows_with_full() if row["control"] not in controls]


@pytest.mark.parametrize(
    "question",
    [{"target": 0.95}, {"target_map": 0.17}, {"budget_wh": 3.0}, {"budget_tflops": 6.0}, {"minutes": 12.0}],
)
def test_the_kept_recipes_answer_every_question(question: dict[str, float]) -> None:
    found = recommend(kept_rows(), ask(**question))
    assert found.full is None and found.best is not None and found.best_seen is not None
    best_seen = found.best_seen.method, found.best_seen.images_seen, dict(found.best_seen.settings)
    assert best_seen == ("full", 900, {"batch": 8}), "neither the largest nor the smallest batch"
    assert found.epochs == 20, "a training of this ledger has 20 epochs of fewer images"
    assert found.best.images == 448 and 450 <= found.best.images_seen <= 1800, "near what was trained"
    if "target" in question:
        assert found.best.expected >= 0.9 * found.best_seen.expected and found.best.chance >= 0.5
    elif "target_map" not in question:
        assert found.best.least(found.cost) <= next(iter(question.values()))
    assert json.loads(json.dumps(found.to_dict()))["full"] is None


def test_full_is_the_next_cell_where_it_helps() -> None:
    found = recommend(kept_rows(), ask(target=0.95))
    assert found.next_full is not None and found.next_full.images_seen == 448 * 20
    assert found.next_full.wh == pytest.approx(10 * found.best_seen.wh, rel=0.6)
    assert 0 <= found.full_by <= 1
    assert recommend(kept_rows(), ask(budget_wh=1000)).next_full is not None, "the budget allows more than was compared"
    assert recommend(rows_with_full(), ask(target=0.95)).next_full is None


def test_a_fraction_is_of_the_best_seen() -> None:
    found = recommend(without("full"), ask(target=1.0))
    best = found.best_seen
    assert best is not None and (best.method, best.images_seen) == ("full", 200 * EPOCHS)
    assert found.best is not None and found.best.expected >= best.expected - 0.01
    assert found.best.images_seen <= 2 * 200 * EPOCHS
    lower = recommend(without("full"), ask(target=0.8)).best
    assert lower is not None and lower.total_wh < found.best.total_wh


def test_a_target_mAP_is_the_same_with_and_without_full() -> None:
    goal = 0.2
    for rows in (rows_with_full(), without("full")):
        best = recommend(rows, ask(target_map=goal)).best
        assert best is not None and best.expected == pytest.approx(goal, abs=0.03)
    assert recommend(without("full"), ask(target_map=0.99)).best is None


def test_subsets_alone_are_enough_if_the_size_of_the_full_set_is_known() -> None:
    rows = without("full", "full_equal_iterations")
    found = recommend(rows, ask(budget_wh=4))
    assert found.best is not None and found.best.total_wh <= 4
    with pytest.raises(InputError, match="how many images there are in all"):
        recommend([{**row, "of": None} for row in rows], ask(budget_wh=4))


def test_operations_decide_where_no_energy_is_known() -> None:
    rows = [{**row, "Wh": None, "TFLOPs": row["images_seen"] / 100, "minutes": None} for row in rows_with_full()]
    found = recommend(rows, ask(target=0.9))
    assert found.cost == "TFLOPs" and "TFLOPs" in found.energy_note and found.best is not None
    with pytest.raises(InputError, match="energy"):
        recommend(rows, ask(budget_wh=4))
    with pytest.raises(InputError, match="minutes"):
        recommend(rows, ask(minutes=4))


@pytest.fixture
def ledger(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], Path]:
    def recording(data: Any, **arguments: Any) -> Any:
        record = stand_in_train(data, **arguments)
        kept = {name: arguments[name] for name in ("epochs", "batch", "nbs") if name in arguments}
        seen = (arguments.get("images_per_epoch") or record.data.train_images) * arguments["epochs"]
        counts = record.counts.model_copy(update={"images_seen": seen, "epochs": arguments["epochs"]})
        facts = record.data.model_copy(update={"splits": {"train": record.data.train_images}})
        map50 = 0.3 + seen / 1000 - kept["batch"] / 100
        figures = record.evaluation.model_copy(update={"mAP50": map50, "mAP50_95": map50 / 2})
        changed = {"arguments": kept, "data": facts, "counts": counts, "evaluation": figures}
        record = record.model_copy(update=changed)
        record.save(arguments["output"])
        return record

    monkeypatch.setattr(run_module, "train", recording)
    monkeypatch.setenv("COLUMNS", "200")

    def made(controls: list[str]) -> Path:
        content = yaml.safe_load(config.read_text())
        content |= {"controls": controls, "reduce": {}}
        content["recipes"] = [{"batch": batch, "images_seen": 0.5} for batch in (4, 3, 2)]
        content["recipes"] += [{"batch": 4, "images_seen": 0.75}]
        content["train"] |= {"batch": 6, "epochs": 4}
        config.write_text(yaml.safe_dump(content))
        return run_experiment(config, config.parent / "ledger").path

    return made


@pytest.mark.parametrize("controls", [["full_equal_iterations"], []])
def test_the_command_answers_from_recipes(
    ledger: Callable[[list[str]], Path], controls: list[str], tmp_path: Path
) -> None:
    path = ledger(controls)
    file = tmp_path / "best.yaml"
    words = ["plan", str(path), "--recipe-file", str(file)]
    shown = CliRunner().invoke(app, [*words, "--target-map", "0.12"])
    assert shown.exit_code == 0, shown.output
    assert "mAP kept: not known" in shown.stdout
    assert file.is_file() and "detreduce train" in shown.stdout and "epochs=4" in shown.stdout
    found = json.loads(CliRunner().invoke(app, [*words, "--minutes", "9", "--json"]).stdout)
    assert found["full"] is None and found["best"]["images"] == 12 and "full" in found["missing"]
    result = CliRunner().invoke(app, ["plan", str(path), "--budget-tflops", "9"])
    assert result.exit_code == 2 and "TFLOPs" in result.stderr


def test_the_reference_is_the_setting_of_the_control() -> None:
    found = recommend(kept_rows(), ask(budget_wh=3.0))
    assert {effect.reference for effect in found.effects} == {BASE.batch}
