from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detreduce.errors import InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.config import ExperimentConfig, parse_config
from detreduce.experiment.costs import forecast
from detreduce.experiment.costs.forecast import Estimate, Forecast
from detreduce.experiment.costs.limits import Limits, Spent
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.overview import Costing, shard_of
from detreduce.training.energy import PhaseEnergy
from detreduce.training.record import TrainingRecord

HALF = Cell("a", "srs", 0, keep=0.5)


@pytest.fixture
def config() -> ExperimentConfig:
    content = {
        "name": "x",
        "dataset": str(Path(__file__)),
        "reduce": {"methods": ["srs"], "keep": [0.5]},
        "train": {"model": "x.yaml", "epochs": 10, "imgsz": 64},
    }
    settings = parse_config({**content, "train": {**content["train"], "model": "yolov8n.yaml"}}, beside=Path.cwd())
    return settings.model_copy(update={"train": settings.train.model_copy(update={"model": "x.yaml"})})


@pytest.fixture
def finished(
    make_record: Callable[..., TrainingRecord], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., FinishedCell]:
    monkeypatch.setattr(forecast.socket, "gethostname", lambda: "here")

    def make(seen: int, seconds: float, wh: float | None, *, imgsz: int = 64, **ran: Any) -> FinishedCell:
        record = make_record(images=seen)
        phase = PhaseEnergy(seconds=seconds, wh=wh)
        record = record.model_copy(update={"energy": {"training": phase}, "arguments": {"imgsz": imgsz}})
        chosen = {"selection": PhaseEnergy(seconds=5, wh=0.5)}
        return FinishedCell("k", {"label": "srs"}, record, chosen, {}, {"host": "here", "overlapped": False, **ran})

    return make


def test_a_constant_and_so_much_an_image(config: ExperimentConfig, finished: Callable[..., FinishedCell]) -> None:
    cells = [finished(100, 30 + 100 * 0.2, 1 + 100 * 0.01), finished(1000, 30 + 1000 * 0.2, 1 + 1000 * 0.01)]
    found = Forecast.of(cells, config, images=80)
    # 10 epochs of 40 images
    cost = found.training(HALF)
    assert (cost.seconds, cost.wh) == (pytest.approx(30 + 400 * 0.2), pytest.approx(1 + 400 * 0.01))
    assert found.selection(HALF) == Estimate(5, 0.5)
    assert found.selection(replace(HALF, method="mms")) is None


def test_a_selection_is_known_from_the_same_images_and_where_not_nested_the_same_keep(
    config: ExperimentConfig, finished: Callable[..., FinishedCell]
) -> None:
    def found(method: str, images: int = 80) -> Forecast:
        cells = [
            replace(
                finished(400, 40, 4),
                cell={"label": method, "keep": keep},
                choosing={"selection": PhaseEnergy(seconds=seconds, wh=1)},
                selection={"of": 80},
            )
            for keep, seconds in ((0.5, 2), (0.5, 4), (0.1, 9))
        ]
        return Forecast.of(cells, config, images)

    half, fifth = replace(HALF, method="clc"), replace(HALF, method="clc", keep=0.2)
    assert found("clc").selection(half) == Estimate(3, 1)
    assert found("clc").selection(fifth) is None, "it is clustered anew"
    assert found("mms").selection(replace(fifth, method="mms")) == Estimate(6, 1)
    assert found("clc", images=81).selection(half) is None


def test_cells_of_one_size_say_nothing_of_a_constant(
    config: ExperimentConfig, finished: Callable[..., FinishedCell]
) -> None:
    found = Forecast.of([finished(800, 90, 8), finished(800, 70, None)], config, images=80)
    assert found.training(HALF).seconds == pytest.approx(40)
    assert found.training(HALF).wh == pytest.approx(4), "of the cell whose energy is known"
    assert Forecast.of([], config, 80).training(HALF) == Estimate(None, None)
    falling = Forecast.of([finished(100, 90, 1), finished(1000, 80, 1)], config, images=80).training(HALF).seconds
    assert falling == pytest.approx(85), "more images never take less time"


def test_what_is_chosen_from_is_counted_once_and_only_until_it_is_made(
    config: ExperimentConfig, finished: Callable[..., FinishedCell]
) -> None:
    class Stub:
        def __init__(self, *to_make: tuple[str, str]) -> None:
            self.to_make = lambda cell: [*to_make] if cell.chooser == "mms" else []
            self.expected = {"proxy training": Estimate(20, 2)}.get
            self.fit_of = lambda cell: cell.key
            self.is_fitted = lambda cell: False

    def cost(sources: Any, *cells: Cell) -> tuple[list[float | None], set[str]]:
        costing = Costing(found, sources, sources)
        return [costing.of(cell).wh for cell in cells], costing.unknown

    # trainings of 4 Wh, selections of 0.5
    mms = [replace(HALF, method="mms", key=key) for key in "bc"]
    found = Forecast.of([replace(finished(400, 40, 4), cell={"label": "mms"})], config, images=80)
    features, proxy = ("features", "table"), ("proxy training", "proxy")
    assert cost(Stub(), *mms) == ([4.5, 4.5], set())
    assert cost(Stub(proxy), *mms) == ([6.5, 4.5], set())
    assert cost(Stub(proxy, features), *mms) == ([6.5, 4.5], {"features"})
    assert cost(Stub(features), HALF) == ([4], {"selection"}), "srs needs no features"
    found = Forecast.of([finished(400, 40, 4)], config, images=80)
    assert cost(Stub(features), *mms) == ([4, 4], {"features", "selection"})


def test_other_trainings_tell_nothing_and_better_evidence_comes_first(
    config: ExperimentConfig, finished: Callable[..., FinishedCell]
) -> None:
    assert Forecast.of([finished(800, 90, 8, imgsz=640)], config, 80).cells == 0
    elsewhere, beside = finished(400, 10, 1, host="there"), finished(400, 20, 2, overlapped=True)
    assert Forecast.of([elsewhere], config, 80).training(HALF).seconds == pytest.approx(10)
    assert Forecast.of([elsewhere, beside], config, 80).training(HALF).seconds == pytest.approx(20)
    alone = finished(400, 30, 3, training_seconds=33.0)
    assert Forecast.of([elsewhere, beside, alone], config, 80).training(HALF).seconds == pytest.approx(33)


def test_limits_by_what_is_spent_and_what_comes() -> None:
    spent = Spent()
    spent.add(PhaseEnergy(wh=3))
    limits = Limits(wh=5)
    assert limits.reason_to_stop(spent, Estimate(10, 1.9)) is None
    assert "2.10" in str(limits.reason_to_stop(spent, Estimate(1, 2.1)))
    assert limits.reason_to_stop(spent, Estimate()) is None, (
        "one of unknown cost may begin while there is something left"
    )
    assert "max_hours=0.5" in str(Limits(hours=0.5).reason_to_stop(spent, Estimate(1801)))
    assert Limits(hours=0.5).reason_to_stop(spent, Estimate(1700)) is None
    spent.add(PhaseEnergy(wh=None))
    assert "max_wh=5" in str(limits.reason_to_stop(spent, Estimate(1, 0)))
    assert Limits().reason_to_stop(spent, Estimate(1e9, 1e9)) is None
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="max_hours"):
            Limits(hours=bad)


def test_shards_share_a_plan_out_whole_and_evenly() -> None:
    cells = [Cell(str(number), "srs", 0) for number in range(10)]
    shards = [shard_of(cells, f"{number}/3") for number in (1, 2, 3)]
    assert sorted(cell.key for shard in shards for cell in shard) == [cell.key for cell in cells]
    assert [len(shard) for shard in shards] == [4, 3, 3]
    assert shard_of(cells, "1/1") == shard_of(cells, None) == cells


def test_recipes_cost_what_cells_of_their_settings_cost(
    config: ExperimentConfig, finished: Callable[..., FinishedCell]
) -> None:
    small = replace(finished(400, 40, 1.0, imgsz=32), cell={"label": "small", "recipe": {"imgsz": 32, "batch": 4}})
    found = Forecast.of([finished(400, 80, 2.0), small], config, images=80)
    recipe = Cell("b", "recipe", 0, keep=0.5, recipe={"name": "x", "imgsz": 32, "batch": 4})
    assert found.training(HALF) == Estimate(80, 2.0)
    assert found.training(recipe) == Estimate(40, 1.0)
    assert found.training(replace(recipe, keep=2.0)) == Estimate(160, 4.0)
    assert found.training(replace(recipe, recipe={"imgsz": 96})) == Estimate(80, 2.0), "no cell shows its cost"
