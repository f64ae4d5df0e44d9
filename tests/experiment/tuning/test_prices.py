"""Expected costs with known answers: before the first training, and from finished ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from detreduce.errors import InputError
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.tuning.prices import Budget, Prices, estimated, measured, operations, spent
from detreduce.training.energy import PhaseEnergy
from detreduce.training.planned_flops import Speed
from detreduce.training.record import Flops


@pytest.fixture
def cell(make_record: Callable[..., Any]) -> Callable[..., FinishedCell]:
    """A training of 100 images of 0.01 TFLOPs: 60 s, `wh` in training and 0.5 Wh in the evaluation."""

    def make(label: str, wh: float | None, overlapped: bool = False) -> FinishedCell:
        record = make_record(wh=0.0, images=100)
        energy = {
            "training": record.energy["training"].model_copy(update={"wh": wh}),
            "evaluation": PhaseEnergy(seconds=30, wh=0.5, g_co2=0.1),
        }
        record = record.model_copy(update={"energy": energy, "flops": Flops(forward=4e9, backward=6e9, method="")})
        return FinishedCell(label, {"label": label}, record, ran={"overlapped": overlapped})

    return make


def test_operations_are_exact() -> None:
    assert operations(0.01).of(250) == 2.5


def test_an_estimate_has_a_start_and_an_evaluation() -> None:
    # 30 s and 2 Wh a TFLOP; 3 s of start are 0.2 Wh; an evaluation of 0.5 TFLOPs
    speed = Speed(30.0, 2.0)
    assert estimated("minutes", 0.01, speed, 0.5).of(100) == pytest.approx(0.05 + 0.25 + 0.5)
    assert estimated("Wh", 0.01, speed, 0.5).of(100) == pytest.approx(0.2 + 1.0 + 2.0)
    with pytest.raises(InputError, match="cannot be metered"):
        estimated("Wh", 0.01, Speed(30.0, None), 0.5)


def test_finished_trainings_replace_the_estimate(cell: Callable[..., FinishedCell]) -> None:
    found = measured("Wh", 0.01, [cell("a", 1.0), cell("b", 3.0)])
    assert found is not None and found.trainings == 2
    # 2 Wh a TFLOP on average, 1 and 3 for each; 0.5 Wh for an evaluation
    assert [found.of(200), found.of(200, ["a"]), found.of(200, ["b"]), found.of(200, ["new"])] == pytest.approx(
        [4.5, 2.5, 6.5, 4.5]
    )
    assert found.of(200, ["a", "b"]) == pytest.approx(4.5)
    minutes = measured("minutes", 0.01, [cell("a", None)])
    assert minutes is not None and minutes.of(100) == pytest.approx(1.5)
    assert measured("Wh", 0.01, [cell("a", None)]) is None is measured("Wh", 0.01, [])


def test_trainings_that_ran_alone_come_first(cell: Callable[..., FinishedCell]) -> None:
    alone = measured("Wh", 0.01, [cell("a", 1.0), cell("b", 9.0, overlapped=True)])
    assert alone is not None and alone.rates == {"a": pytest.approx(1.0)}
    both = measured("Wh", 0.01, [cell("b", 9.0, overlapped=True)])
    assert both is not None and both.rates == {"b": pytest.approx(9.0)}


def test_what_is_spent(cell: Callable[..., FinishedCell]) -> None:
    cells = [cell("a", 1.0), cell("b", 3.0)]
    assert [spent(cells, unit) for unit in ("Wh", "minutes", "TFLOPs")] == pytest.approx([5.0, 3.0, 2.0])
    with pytest.raises(InputError, match="not known"):
        spent([cell("a", None)], "Wh")


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "3"])
def test_budgets(value: Any) -> None:
    assert Budget.of({"budget_wh": None, "minutes": 3}) == Budget(3.0, "minutes")
    with pytest.raises(InputError, match="above 0"):
        Budget.of({"budget_wh": value, "minutes": None})
    assert isinstance(operations(1.0), Prices)
