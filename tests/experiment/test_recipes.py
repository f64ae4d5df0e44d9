from __future__ import annotations

from typing import Any

import pytest
from test_surface import EPOCHS, TOTAL, grid

from detreduce.errors import InputError
from detreduce.experiment.recipes import Advice, advise


def rows() -> list[dict[str, Any]]:
    """Two Wh to start with, and one for each 1,000 images seen; choosing by `good` costs half a Wh."""
    return [
        {
            "label": cell.method,
            "control": cell.method if cell.method.startswith("full") else None,
            "images": cell.images,
            "images_seen": cell.images_seen,
            "epochs": EPOCHS,
            "mAP50_95": value,
            "mAP50": None,
            "Wh": 2 + cell.images_seen / 1000,
            "features_Wh": 0.4 if cell.method == "good" else None,
            "selection_Wh": 0.1 if cell.method == "good" else 0.0,
        }
        for cell in grid(0.01)
        for value in cell.values
    ]


@pytest.fixture(scope="module")
def found() -> Advice:
    return advise(rows(), target=0.9)


def test_the_cheapest_that_reaches_the_target(found: Advice) -> None:
    assert found.full.wh == pytest.approx(2 + TOTAL * EPOCHS / 1000)
    assert found.best is not None
    assert found.best.chance >= 0.5
    assert found.best.expected >= 0.9 * found.full.expected - 0.01
    assert found.best.total_wh < found.full.wh
    assert found.best.low < found.best.expected < found.best.high
    assert all(found.best.total_wh <= other.total_wh for other in found.others)
    assert len({recipe.method for recipe in (found.best, *found.others)}) == 1 + len(found.others)
    for recipe in (found.best, *found.others):
        assert recipe.choosing_wh == pytest.approx(0.5 if recipe.method == "good" else 0.0)


def test_what_would_make_it_surer(found: Advice) -> None:
    assert found.surer is not None
    assert 0 < found.surer_by < 1


def test_to_be_surer_costs_more(found: Advice) -> None:
    sure = advise(rows(), target=0.9, confidence=0.9)
    assert sure.best is not None
    assert found.best is not None
    assert sure.best.chance >= 0.9
    assert sure.best.total_wh >= found.best.total_wh


def test_the_best_for_a_budget() -> None:
    poor, rich = (advise(rows(), budget_wh=budget).best for budget in (3.0, 6.0))
    assert poor is not None
    assert rich is not None
    assert poor.total_wh <= 3.0 < rich.total_wh <= 6.0
    assert poor.expected < rich.expected
    assert advise(rows(), budget_wh=0.1).best is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "either a target"),
        ({"target": 0.9, "budget_wh": 3}, "either a target"),
        ({"target": 0}, "target=0"),
        ({"budget_wh": -1}, "budget_wh=-1"),
        ({"target": 0.9, "measure": "mAP75"}, "measure='mAP75'"),
        ({"target": 0.9, "confidence": 1}, "confidence=1"),
        ({"target": 0.9, "measure": "mAP50"}, "no finished cell trained on all images"),
    ],
)
def test_bad_questions(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        advise(rows(), **arguments)
    assert said in str(caught.value)


def test_cells_that_overlapped_say_nothing_of_energy() -> None:
    spoilt = rows()
    for row in spoilt:
        if row["images"] == 40:
            row |= {"overlapped": True, "Wh": 99.0}
    assert advise(spoilt, budget_wh=20).full.wh == pytest.approx(10)
    with pytest.raises(InputError, match="no finished cell has an energy figure"):
        advise([{**row, "Wh": None} for row in rows()], target=0.9)


def test_energies_that_were_not_a_cells_own_are_used_with_a_note(found: Advice) -> None:
    beside = advise([{**row, "overlapped": True} for row in rows()], target=0.9)
    assert beside.full.wh == pytest.approx(found.full.wh)
    assert "ran beside another training" in beside.energy_note and found.energy_note == ""
    assert beside.to_dict()["energy_note"] == beside.energy_note


def test_what_choosing_took_may_not_be_known() -> None:
    unknown = {"proxy_training_seconds": 9.0, "proxy_training_Wh": None}
    advice = advise([{**row, **(unknown if row["label"] == "good" else {})} for row in rows()], target=0.9)
    assert "What choosing by good took is not known" in advice.energy_note
    assert advice.best is not None and advice.best.total_wh > 0


def test_what_has_no_number_is_null_in_json() -> None:
    assert advise(rows(), budget_wh=3.0).to_dict()["full"]["chance"] is None
