"""Batch, image size and frozen layers as factors on the images seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from test_recipes import rows
from test_surface import EPOCHS, TOTAL, grid, truth
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.experiment.advice import comparable, recipe_file
from detreduce.experiment.advice.costs import Costs
from detreduce.experiment.advice.question import ask
from detreduce.experiment.advice.recipe_file import training_recipe
from detreduce.experiment.advice.recipes import recommend
from detreduce.experiment.advice.settings import Factors, Setting
from detreduce.experiment.advice.surface import Configuration, fit_surface
from detreduce.training.recipes.reading import read_recipe

BASE = Setting(16, 16, 320, 10)
BETA, SMALL = 0.8, 0.7
"""The factor on the images seen is 2 ** 0.8 = 1.74 for batch 8, and 0.7 for 224 px."""

BEFORE = ("srs", 320, 3, 0.2357765, 0.2131082, 0.2567075)


def worth(setting: Setting) -> float:
    return float((setting.step / BASE.step) ** -BETA) * (SMALL if setting.imgsz == 224 else 1.0)


def planted(spread: float = 0.0) -> list[Configuration]:
    """The cells of the grid, and recipes on all images at two budgets."""
    found = [replace(item, setting=BASE) for item in grid(spread)]
    settings = [replace(BASE, batch=batch, nbs=batch) for batch in (8, 4)] + [replace(BASE, imgsz=224)]
    for setting in settings:
        for seen in (40 * EPOCHS, 200 * EPOCHS):
            value = truth("full", TOTAL, seen * worth(setting))
            found.append(Configuration("full_equal_iterations", TOTAL, seen, (value, value, value), setting))
    return found


def planted_rows() -> list[dict[str, Any]]:
    """The rows of the other tests with recipes: batch 8 with the same energy, 224 px with half the energy, batch 4
    unmetered.
    """
    base = [{**row, "key": f"k{place}", "setting": BASE} for place, row in enumerate(rows())]
    base = [{**row, "TFLOPs": row["images_seen"] / 100, "minutes": row["images_seen"] / 800} for row in base]
    recipes = []
    for item in planted():
        if item.setting in (None, BASE) or item.images != TOTAL:
            continue
        share = 0.5 if item.setting.imgsz == 224 else 1.0
        cost = {
            "Wh": None if item.setting.batch == 4 else 2 + share * item.images_seen / 1000,
            "TFLOPs": share * item.images_seen / 100,
            "minutes": item.images_seen / 800,
        }
        common = {"label": item.method, "method": "recipe", "control": None, "images": TOTAL, "epochs": EPOCHS}
        recipes += [
            {**common, **cost, "images_seen": item.images_seen, "mAP50_95": value, "setting": item.setting}
            for value in item.values
        ]
    return base + recipes


def test_a_planted_effect_is_found_again() -> None:
    surface = fit_surface(planted(), TOTAL, reference=BASE, samples=60)
    for setting in (replace(BASE, batch=8, nbs=8), replace(BASE, batch=4, nbs=4), replace(BASE, imgsz=224)):
        factor = surface.worth(setting)
        assert factor.mean() == pytest.approx(worth(setting), rel=0.15)
        assert factor.std() > 0, "the uncertainty is carried"
    both = replace(BASE, batch=8, nbs=8, imgsz=224)
    assert surface.means("full", TOTAL, 2000, both).mean() == pytest.approx(
        truth("full", TOTAL, 2000 * worth(both)), abs=0.02
    ), "a combination that was never trained"
    assert surface.worth(BASE) == pytest.approx(1.0)


def test_a_batch_can_be_too_small() -> None:
    """A batch of 8 is the best: larger and smaller batches are worth less."""
    worths = {8: 1.6, 4: 0.8}
    found = [replace(item, setting=BASE) for item in grid()]
    for batch, times in worths.items():
        for seen in (40 * EPOCHS, 200 * EPOCHS):
            value = truth("full", TOTAL, seen * times)
            setting = replace(BASE, batch=batch, nbs=batch)
            found.append(Configuration("full_equal_iterations", TOTAL, seen, (value, value, value), setting))
    surface = fit_surface(found, TOTAL, reference=BASE, samples=60)
    means = {batch: surface.worth(replace(BASE, batch=batch, nbs=batch)).mean() for batch in worths}
    assert means[8] > means[4] + 0.3 and means[8] > 1.15


def test_without_an_effect_there_is_none() -> None:
    flat = [*grid(), *(replace(item, setting=replace(BASE, batch=4, nbs=4)) for item in grid()[:4])]
    flat = [item if item.setting else replace(item, setting=BASE) for item in flat]
    factor = fit_surface(flat, TOTAL, reference=BASE, samples=60).worth(replace(BASE, batch=4, nbs=4))
    assert factor.mean() == pytest.approx(1.0, abs=0.15)


def test_one_setting_is_as_none() -> None:
    plain = fit_surface(grid(0.01), TOTAL, samples=20)
    same = fit_surface([replace(item, setting=BASE) for item in grid(0.01)], TOTAL, reference=BASE, samples=20)
    assert same.factors.widths == [] and (plain.samples == same.samples).all()
    known = {**dict.fromkeys(("TFLOPs", "minutes"))}
    asked, again = rows(), [{**row, **known, "setting": BASE} for row in rows()]
    assert recommend(asked, ask(target=0.9)).to_dict() == recommend(again, ask(target=0.9)).to_dict()


def test_the_answer_without_recipes_is_the_one_of_before() -> None:
    """The numbers are equal to the numbers of the version without settings."""
    found = recommend(rows(), ask(budget_wh=3.0))
    assert found.best is not None and found.full.wh == pytest.approx(10)
    assert (found.best.method, found.best.images, found.best.epochs) == BEFORE[:3]
    assert (found.best.expected, found.best.low, found.best.high) == pytest.approx(BEFORE[3:], abs=1e-6)
    assert found.effects == () and found.best.settings == ()


def test_a_recipe_is_the_answer_where_it_is_better() -> None:
    found = recommend(planted_rows(), ask(budget_wh=4.0))
    assert found.best is not None and found.best.total_wh is not None and found.best.total_wh <= 4
    assert dict(found.best.settings) in ({"batch": 8}, {"imgsz": 224}), "batch 4 has no known energy"
    assert found.best.expected > recommend(rows(), ask(budget_wh=4.0)).best.expected + 0.02
    assert {(effect.key, effect.value) for effect in found.effects} == {("batch", 8), ("batch", 4), ("imgsz", 224)}
    assert all(effect.low < effect.times < effect.high for effect in found.effects)
    assert found.surer is not None


def test_operations_are_known_where_energy_is_not() -> None:
    found = recommend(planted_rows(), ask(budget_tflops=20))
    assert found.best is not None and found.best.tflops <= 20
    assert dict(found.best.settings).get("batch") == 4 and found.best.wh is None
    minutes = recommend(planted_rows(), ask(minutes=2.5))
    assert minutes.best is not None and minutes.best.minutes <= 2.5 and minutes.cost == "minutes"
    assert recommend([{**row, "Wh": None} for row in planted_rows()], ask(minutes=2.5)).best is not None


def test_costs_go_by_the_setting() -> None:
    costs = Costs.of(planted_rows(), BASE)
    assert costs.of_training("Wh", 4000, BASE) == pytest.approx(6)
    assert costs.of_training("Wh", 4000, replace(BASE, imgsz=224)) == pytest.approx(4)
    assert costs.of_training("Wh", 4000, replace(BASE, batch=4, nbs=4)) is None
    assert costs.of_training("TFLOPs", 4000, replace(BASE, batch=2, nbs=2)) == pytest.approx(40), "any batch"
    assert costs.of_training("TFLOPs", 4000, replace(BASE, imgsz=96)) is None


@given(st.integers(1, 64), st.integers(1, 64), st.sampled_from([96, 224, 320]), st.integers(0, 10))
def test_a_recipe_says_what_changes(batch: int, nbs: int, imgsz: int, freeze: int) -> None:
    setting = Setting(batch, max(batch, nbs), imgsz, freeze)
    assert BASE.changed(setting.changes(BASE).items()) == setting
    assert BASE.changes(BASE) == {}
    row = Factors.of([BASE, setting], BASE).row(setting)
    assert (row == 0).all() == (setting.step == 16 and setting.imgsz == 320 and setting.freeze == 10)


def test_the_recipe_names_the_images_of_a_method() -> None:
    best = recommend(rows(), ask(budget_wh=3.0)).best
    assert best is not None
    known = [{"label": "herding(match=class_means)", "method": "herding", "parameters": {"match": "class_means"}}]
    planned = replace(best, method="herding(match=class_means)", images=40, epochs=10, settings=(("batch", 4),))
    recipe = training_recipe(planned, known)
    assert (recipe.images_seen, recipe.batch, recipe.subset.name, recipe.subset.keep) == (400, 4, "herding", 40)
    assert recipe.subset.parameters == {"match": "class_means"}
    assert training_recipe(replace(planned, method="full"), known).subset is None
    assert training_recipe(replace(planned, method="random"), known).subset.name == "srs"


def test_the_command_writes_a_recipe_that_train_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cells").mkdir()
    monkeypatch.setattr(comparable, "comparable_rows", lambda ledger: planted_rows())
    monkeypatch.setattr(recipe_file, "train_command", lambda *arguments: "detreduce train")
    file = tmp_path / "best.yaml"
    asked = ["plan", str(tmp_path), "--budget-tflops", "20"]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0, shown.output
    assert "--budget-tflops 20 --recipe-file recipe.yaml" in shown.stdout and "For at most 20 TFLOPs" in shown.stdout
    written = CliRunner().invoke(app, [*asked, "--recipe-file", str(file)])
    assert written.exit_code == 0 and "Next: detreduce train" in written.stdout
    best = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["best"]
    recipe = read_recipe(file)
    assert (recipe.batch, recipe.images_seen) == (4, best["images_seen"])
    assert yaml.safe_load(file.read_text())["batch"] == 4
    refused = CliRunner().invoke(app, [*asked, "--recipe-file", str(tmp_path / "best.txt")])
    assert refused.exit_code == 2 and "recipe.yaml" in refused.stderr
    two = CliRunner().invoke(app, [*asked, "--minutes", "3"])
    assert two.exit_code == 2 and "one budget" in two.stderr
