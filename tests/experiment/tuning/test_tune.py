"""Tunings with a stand-in for training, and one that really trains."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

import detreduce as dr
from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.experiment.cells import Cell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.tuning.prices import Budget, spent_by
from detreduce.experiment.tuning.result import TuningResult
from detreduce.experiment.tuning.trainings import Account
from detreduce.training.planned_flops import PlannedNetwork, Speed
from detreduce.training.recipes.reading import read_recipe

RECIPES = [{"batch": 1}, {"batch": 4}, {"batch": 8}]
GIVEN = {"epochs": 40, "batch": 2, "nbs": 2, "imgsz": 64}
# 0.003 TFLOPs an image; rungs of 120 and 240 images: 4 x 120 + 2 x 240 = 960; 3 pairs of 240: 1440
BUDGET = 0.003 * (960 + 1440)


@pytest.fixture
def data(splits: Callable[..., Path]) -> Path:
    return splits(train=20, val=3, test=4)


def tuned(data: Path, output: Path, **changes: Any) -> TuningResult:
    given = {"recipes": RECIPES, "budget_tflops": BUDGET, **GIVEN, **changes}
    return dr.tune(data, "yolov8n.yaml", output=output, **given)


def test_the_better_half_goes_on_and_fresh_seeds_measure_the_best(data: Path, tmp_path: Path, trainer: Any) -> None:
    result = tuned(data, tmp_path / "t")
    assert [[one.recipe for one in rung.trained] for rung in result.rungs] == [
        ["batch1", "batch4", "as-given", "batch8"],
        ["batch1", "batch4"],
    ]
    assert [rung.length for rung in result.rungs] == [120, 240]
    assert result.best == "batch1" and result.recipe is not None
    # the rungs are judged on val with seed 0, and the comparison on test with other seeds
    splits = Counter((call["evaluate_on"], call["seed"]) for call in trainer.calls)
    assert splits == {("val", 0): 6, ("test", 1): 2, ("test", 2): 2, ("test", 3): 2}
    assert result.comparison is not None and result.comparison.seeds == 3
    assert [one.recipe for one in result.compared] == ["batch1", "batch4"]
    # 0.5 + 0.001 s against 0.4 + 0.004 s, s = 1, 2, 3
    assert result.comparison.difference == pytest.approx(0.1 - 0.006)
    assert (result.kind, result.comparison.claim) == ("better", "recipe")
    assert result.spent == pytest.approx(BUDGET) and result.spent <= result.budget * (1 + 1e-9)


def test_the_recipe_trains_what_was_measured(data: Path, tmp_path: Path, trainer: Any) -> None:
    result = tuned(data, tmp_path / "t", recipe_file=tmp_path / "best.yaml")
    recipe = read_recipe(tmp_path / "best.yaml")
    assert (recipe.batch, recipe.images_seen) == (1, 240)
    words = result.command.split()
    assert words[:3] == ["detreduce", "train", str(data)]
    assert "epochs=40" in words and "imgsz=64" in words
    # the recipe says the batch
    assert not any(word.startswith(("batch=", "nbs=")) for word in words)
    # all of it is JSON
    assert json.loads(json.dumps(result.to_dict()))["best"] == "batch1"


def test_a_stopped_tuning_goes_on(data: Path, tmp_path: Path, trainer: Any) -> None:
    trainer.interrupt_at = 6
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path / "t")
    assert len(Ledger(tmp_path / "t")) == 5
    result = tuned(data, tmp_path / "t")
    # 12 trainings, and the one that stopped
    assert len(trainer.calls) == 13 and len(Ledger(tmp_path / "t")) == 12
    assert result.kind == "better"
    assert tuned(data, tmp_path / "t").to_dict() == result.to_dict() and len(trainer.calls) == 13


def test_two_processes_share_a_tuning(
    data: Path, tmp_path: Path, trainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detreduce.experiment.ledger.waiting.POLL_SECONDS", 0.02)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: tuned(data, tmp_path / "t"), range(2))
    assert len(trainer.calls) == len(Ledger(tmp_path / "t")) == 12
    assert one.to_dict() == other.to_dict() and one.kind == "better"


def test_seeds_are_decided_once(data: Path, tmp_path: Path, trainer: Any) -> None:
    tuned(data, tmp_path / "t")
    result = tuned(data, tmp_path / "t", budget_tflops=10 * BUDGET)
    # more seeds after a result would be a second look at the same question
    assert len(trainer.calls) == 12
    assert result.comparison is not None and result.comparison.seeds == result.planned_seeds == 3
    assert "decided before" in result.needless
    assert not tuned(data, tmp_path / "t").needless


def test_seeds_that_the_budget_does_not_allow_are_given_up(data: Path, tmp_path: Path, trainer: Any) -> None:
    # rungs of 400 and 800 images cost 34 Wh with evaluations; a pair is planned at 16.6 Wh, and costs 20.6
    trainer.of_test, said = 1.25, list[str]()
    result = tuned(data, tmp_path / "t", budget_tflops=None, budget_wh=117, say=said.append)
    assert "batch1 and batch4, with 5 fresh seeds." in said
    assert result.comparison is not None and result.comparison.seeds == result.planned_seeds == 4
    assert result.kind == "better" and result.spent <= result.budget
    # the result is known now, so the fifth seed stays out
    again = tuned(data, tmp_path / "t", budget_tflops=None, budget_wh=1000)
    assert again.comparison is not None and again.comparison.seeds == 4 and len(trainer.calls) == 14


def test_pairs_of_fresh_seeds_are_complete(data: Path, tmp_path: Path, trainer: Any) -> None:
    trainer.interrupt_at = 11
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path / "t")
    assert [(call["seed"], call["batch"]) for call in trainer.calls[6:]] == [(1, 1), (1, 4), (2, 1), (2, 4), (3, 1)]
    # the budget of the third seed is gone
    stopped = tuned(data, tmp_path / "t", budget_tflops=BUDGET * 0.9)
    assert len(trainer.calls) == 11
    assert (stopped.kind, stopped.comparison, stopped.planned_seeds) == ("unconfirmed", None, 3)
    assert [one.trainings for one in stopped.compared] == [2, 2]
    assert "2 of the 3 planned fresh seeds" in stopped.sentence
    assert tuned(data, tmp_path / "t").kind == "better"


def test_a_smaller_budget_stops_a_rung(data: Path, tmp_path: Path, trainer: Any) -> None:
    trainer.interrupt_at = 3
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path / "t")
    # two of 120 images are finished, and the budget is enough for three
    result = tuned(data, tmp_path / "t", budget_tflops=0.003 * 3 * 120)
    assert len(Ledger(tmp_path / "t")) == 3 and result.kind == "unfinished"
    assert result.spent <= result.budget * (1 + 1e-9)


@pytest.mark.parametrize("unit", ["budget_wh", "minutes", "budget_tflops"])
def test_processes_share_one_budget(
    data: Path, tmp_path: Path, trainer: Any, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    monkeypatch.setattr("detreduce.experiment.ledger.waiting.POLL_SECONDS", 0.02)
    said: list[str] = []
    # what three trainings cost, in a rung of four
    tuned(data, tmp_path / "one", budget_tflops=0.003 * 4 * 120)
    (cost,) = {round(spent_by(cell, Budget.of({unit: 1.0}).unit) or 0, 9) for cell in Ledger(tmp_path / "one")}
    trainer.interrupt_at = len(trainer.calls) + 1
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path / "t", budget_tflops=0.003 * 4 * 120)
    both, started, third, asked = Barrier(2), count(1), Event(), Event()
    allows = Account.allows

    def during() -> None:
        if (number := next(started)) <= 2:
            both.wait(60)
        elif number == 3:
            # the training goes on until the other thread has asked whether a fourth training may start
            third.set()
            asked.wait(20)

    def ask(self: Account, wanted: Sequence[Cell], running: Sequence[Cell]) -> bool:
        if third.is_set():
            asked.set()
        return allows(self, wanted, running)

    monkeypatch.setattr(Account, "allows", ask)
    trainer.interrupt_at, trainer.during = 0, during
    monkeypatch.setattr(PlannedNetwork, "speed", lambda *_, **__: Speed(60 * cost / 0.36, cost / 0.36))
    budget = {"budget_tflops": None, unit: 3.3 * cost, "say": said.append}
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: tuned(data, tmp_path / "t", **budget), range(2)))
    assert len(Ledger(tmp_path / "t")) == 3 and asked.is_set()
    assert all(result.spent <= result.budget and result.kind == "unfinished" for result in results)
    assert any("does not allow the next training" in line for line in said)


def test_a_recipe_that_fails_is_left_out(data: Path, tmp_path: Path, trainer: Any) -> None:
    said: list[str] = []
    trainer.errors = {4: RuntimeError("CUDA out of memory. Tried to allocate\nmore lines")}
    result = tuned(data, tmp_path / "t", say=said.append)
    assert [(one.recipe, one.reason) for one in result.failed] == [
        ("batch4", "RuntimeError: CUDA out of memory. Tried to allocate")
    ]
    assert [[one.recipe for one in rung.trained] for rung in result.rungs] == [
        ["batch1", "as-given", "batch8"],
        ["batch1", "as-given"],
    ]
    assert result.best == "batch1" and all(rung.finished for rung in result.rungs)
    assert any("batch4 failed" in line for line in said)
    assert json.loads(json.dumps(result.to_dict()))["failed"][0]["recipe"] == "batch4"
    # it counts as if it had finished, and is not tried again
    assert result.spent == pytest.approx(
        0.003 * 120 + sum(cell.training.training_tflops or 0 for cell in Ledger(tmp_path / "t"))
    )
    count = len(trainer.calls)
    tuned(data, tmp_path / "t")
    assert len(trainer.calls) == count


def test_if_every_recipe_fails_the_cause_is_elsewhere(data: Path, tmp_path: Path, trainer: Any) -> None:
    trainer.errors = dict.fromkeys((1, 2, 4, 8), RuntimeError("no driver"))
    with pytest.raises(DetreduceError, match="Every training of the rung failed: RuntimeError: no driver"):
        tuned(data, tmp_path / "t")
    trainer.errors = {}
    assert tuned(data, tmp_path / "t").kind == "better"


def test_if_every_process_is_killed_twice_the_next_run_tries_again(data: Path, tmp_path: Path, trainer: Any) -> None:
    trainer.interrupt_at = 1
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path / "t")
    keys = [cell["key"] for cell in json.loads((tmp_path / "t" / "plan.json").read_text())]
    tune_file = tmp_path / "t" / "tune.json"
    # a killed process cannot remove its files
    for key in keys:
        (tmp_path / "t" / "unfinished" / key).mkdir(parents=True)
    tune_file.write_text(json.dumps({**json.loads(tune_file.read_text()), "killed": [*keys, "other"]}))
    with pytest.raises(DetreduceError, match="killed twice"):
        tuned(data, tmp_path / "t")
    assert len(trainer.calls) == 1 and json.loads(tune_file.read_text())["killed"] == ["other"]
    assert tuned(data, tmp_path / "t").kind == "better"


def test_a_full_disk_is_no_fault_of_a_recipe(data: Path, tmp_path: Path, trainer: Any) -> None:
    trainer.errors = {4: OSError(28, "No space left on device")}
    with pytest.raises(DetreduceError, match="No space left"):
        tuned(data, tmp_path / "t")
    trainer.errors = {}
    result = tuned(data, tmp_path / "t")
    assert not result.failed and result.kind == "better"


def test_a_recipe_whose_process_is_killed_twice_is_left_out(data: Path, tmp_path: Path, trainer: Any) -> None:
    trainer.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path / "t")
    plan = json.loads((tmp_path / "t" / "plan.json").read_text())
    (remains,) = (tmp_path / "t" / "unfinished" / cell["key"] for cell in plan if cell["recipe"]["name"] == "batch1")
    # a killed process cannot remove its files
    remains.mkdir(parents=True)
    trainer.interrupt_at = 3
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path / "t")
    assert trainer.calls[-1]["batch"] == 1
    remains.mkdir()
    result = tuned(data, tmp_path / "t")
    assert [one.recipe for one in result.failed] == ["batch1"] and "killed twice" in result.failed[0].reason
    assert result.best == "batch4"


def test_without_budget_for_fresh_seeds_nothing_is_shown(data: Path, tmp_path: Path, trainer: Any) -> None:
    result = tuned(data, tmp_path / "t", budget_tflops=0.003 * 960)
    assert (result.kind, result.comparison, result.best) == ("unconfirmed", None, "batch1")
    assert result.recipe_file is not None and result.recipe_file.exists()
    assert len(trainer.calls) == 6


def test_the_control_is_the_recipe_if_the_best_is_worse(
    data: Path, tmp_path: Path, trainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = type(trainer).__call__

    def lucky(self: Any, data: Any, *, seed: int, **arguments: Any) -> Any:
        # batch 1 wins with seed 0 only
        batch = 8 if arguments["batch"] == 1 and seed else arguments["batch"]
        return real(self, data, seed=seed, **{**arguments, "batch": batch})

    monkeypatch.setattr(type(trainer), "__call__", lucky)
    result = tuned(data, tmp_path / "t")
    assert (result.best, result.kind) == ("batch1", "worse")
    assert result.recipe_file is not None and read_recipe(result.recipe_file).batch == 4


def test_energy_limits_the_trainings_and_their_cost_is_learnt(data: Path, tmp_path: Path, trainer: Any) -> None:
    # the estimate is 9 Wh for 1000 images, and the trainings take 10: 100 images are 1 Wh
    budget = {"budget_tflops": None, "budget_wh": 26.0}
    result = tuned(data, tmp_path / "t", **budget)
    assert result.unit == "Wh" and result.spent <= 26.0
    assert result.kind == "better"
    # ten times as expensive as estimated: the first rung stops
    trainer.wh = 10.0
    stopped = tuned(data, tmp_path / "other", **budget)
    assert (stopped.kind, stopped.recipe, stopped.recipe_file) == ("unfinished", None, None)
    assert len(stopped.rungs[0].trained) < 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budget_tflops": 0.003 * 4 * 120 * 0.99}, r"4 recipes: the smallest budget is 1\.5 TFLOPs"),
        ({"budget_tflops": None}, "exactly one budget"),
        ({"minutes": 3}, "exactly one budget"),
        ({"budget_tflops": -1}, "above 0"),
        ({"recipes": [{"batch": 21}]}, "batch21.* 21 images are more than the 20"),
        ({"recipes": [{"freeze": 99}]}, "no 99 layers"),
        ({"freeze": 99}, "no 99 layers"),
        ({"recipes": [{"subset": {"name": "mms", "keep": 21}}]}, "21"),
        ({"recipes": [{"stream": {"by": "weights", "file": "none.csv"}}]}, "none.csv"),
        ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"batch": -1}, "batch=-1"),
        ({"time": 1}, "time=1"),
        ({"seed": -1}, "seed=-1"),
        ({"country": "XYZ"}, "XYZ"),
        ({"recipe_file": "best.txt"}, "best.txt"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(
    data: Path, tmp_path: Path, trainer: Any, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        tuned(data, tmp_path / "t", **changes)
    assert not trainer.calls and not (tmp_path / "t").exists()


def test_unknown_weights_and_leaks_are_found_first(data: Path, tmp_path: Path, trainer: Any) -> None:
    with pytest.raises(MissingFileError, match="yolov99"):
        dr.tune(data, "yolov99.yaml", budget_tflops=1)
    leaked = data.parent / "val" / "images" / "0.png"
    leaked.write_bytes((data.parent / "train" / "images" / "0.png").read_bytes())
    with pytest.raises(InputError, match="also in train"):
        tuned(data, tmp_path / "t")
    leaky = tuned(data, tmp_path / "t", allow_leaks=True)
    assert leaky.best == "batch1" and leaky.full == 20 * 40 and "1 of the 3 images of val" in leaky.leaks
    clean = tuned(data, tmp_path / "clean", drop_leaked=True)
    assert clean.full == 19 * 40 and not clean.leaks


def test_a_ledger_holds_one_tuning(data: Path, tmp_path: Path, trainer: Any) -> None:
    tuned(data, tmp_path / "t")
    with pytest.raises(InputError, match="other recipes"):
        tuned(data, tmp_path / "t", recipes=[{"batch": 1}])
    (tmp_path / "t" / "tune.json").unlink()
    with pytest.raises(InputError, match="of an experiment"):
        tuned(data, tmp_path / "t")


def test_held_out_images_are_never_trained_on(splits: Callable[..., Path], tmp_path: Path, trainer: Any) -> None:
    result = tuned(splits(train=25), tmp_path / "t")
    assert result.judged_on == result.confirmed_on == "5 images held out of train"
    assert result.full == 20 * 40
    assert {call["evaluate_on"] for call in trainer.calls} == {"val"}


def test_trainings_really_have_equal_operations(splits: Callable[..., Path], tmp_path: Path) -> None:
    result = dr.tune(
        splits(train=8, val=4), "yolov8n.yaml", budget_tflops=0.03, recipes=[{"batch": 2, "freeze": 10}],
        output=tmp_path / "t", epochs=6, imgsz=64, batch=1, nbs=1, workers=0,
    )  # fmt: skip
    (rung,) = result.rungs
    seen = {one.recipe: one.images_seen for one in rung.trained}
    # frozen layers have no backward pass, so as many operations show more images
    assert seen["as-given"] == 48 < seen["batch2-freeze10"]
    one, other = (row.TFLOPs for row in rung.trained)
    # six epochs of equal length: the images seen are rounded to a multiple of 6, so half of it is the largest error
    each = {label: (tflops or 0) / seen[label] for label, tflops in ((row.recipe, row.TFLOPs) for row in rung.trained)}
    assert abs((one or 0) - (other or 0)) <= 3 * each["batch2-freeze10"]
    # the counts before the training are those of the record
    assert rung.tflops_differ == pytest.approx(max(one, other) / min(one, other) - 1)
    assert result.spent == pytest.approx((one or 0) + (other or 0)) and result.spent < 0.03
    assert result.kind == "unconfirmed"


@pytest.mark.parametrize(("failing", "best"), [(1, "batch4"), (4, "batch1")])
def test_a_recipe_that_fails_in_the_comparison_is_not_the_best(
    data: Path, tmp_path: Path, trainer: Any, failing: int, best: str
) -> None:
    trainer.interrupt_at = 7
    with pytest.raises(KeyboardInterrupt):
        tuned(data, tmp_path / "t")
    trainer.errors = {failing: RuntimeError("CUDA out of memory")}
    result = tuned(data, tmp_path / "t")
    assert [one.recipe for one in result.failed] == [f"batch{failing}"]
    assert result.best == best and result.recipe is not None and result.recipe.label == best
    assert (result.kind, result.comparison, result.planned_seeds) == ("unconfirmed", None, 3)
    assert result.seeds_failed and "larger budget" not in result.sentence
    assert [one.recipe for one in result.rungs[-1].trained if one.kept] == [best]
    assert "among the 3 recipes whose trainings did not fail" in result.sentence
    calls = len(trainer.calls)
    trainer.errors = {}
    assert tuned(data, tmp_path / "t").to_dict() == result.to_dict() and len(trainer.calls) == calls
