from __future__ import annotations

from typing import Any

import pytest
from test_surface import EPOCHS, TOTAL, grid

from detreduce.errors import InputError
from detreduce.experiment.advice.answer import PlannedRecipe, Recommendation
from detreduce.experiment.advice.costs import Costs
from detreduce.experiment.advice.question import ask
from detreduce.experiment.advice.recipes import Question, order, recommend


def rows() -> list[dict[str, Any]]:
    """A training takes two Wh, plus one Wh for each 1,000 images seen. Choosing by `good` costs half a Wh."""
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
def found() -> Recommendation:
    return recommend(rows(), ask(target=0.9))


def test_what_was_measured_is_beside_what_is_expected(found: Recommendation) -> None:
    assert found.full is not None
    values = [row["mAP50_95"] for row in rows() if row["control"] == "full"]
    assert found.full.measured == pytest.approx(sum(values) / len(values))
    assert found.full.measured != found.full.expected
    assert all(one.measured is None for one in found.others if one.epochs != EPOCHS and one.method != "full")


def test_the_chance_is_of_a_share_of_the_full_set(found: Recommendation) -> None:
    # the median of (mAP of the recipe) / (mAP of full) is above the target exactly if the chance is above one half
    assert found.full is not None and found.best is not None
    for one in (found.best, *found.others):
        assert (one.expected / found.full.expected > 0.9 + 0.005) <= (one.chance > 0.5)


def test_the_cheapest_that_reaches_the_target(found: Recommendation) -> None:
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


def test_mAP_of_nearly_0_is_no_ground_for_a_plan() -> None:
    for options in ({"target": 0.9}, {"budget_wh": 3.0}):
        with pytest.raises(InputError, match="train for more epochs"):
            recommend([{**row, "mAP50_95": 0.001} for row in rows()], ask(**options))


def test_what_would_make_it_surer(found: Recommendation) -> None:
    assert found.surer is not None
    assert 0 < found.surer_by < 1


def test_to_be_surer_costs_more(found: Recommendation) -> None:
    sure = recommend(rows(), ask(target=0.9, confidence=0.9))
    assert sure.best is not None
    assert found.best is not None
    assert sure.best.chance >= 0.9
    assert sure.best.total_wh >= found.best.total_wh


def test_the_best_for_a_budget() -> None:
    poor, rich = (recommend(rows(), ask(budget_wh=budget)).best for budget in (3.0, 6.0))
    assert poor is not None
    assert rich is not None
    assert poor.total_wh <= 3.0 < rich.total_wh <= 6.0
    assert poor.expected < rich.expected
    assert recommend(rows(), ask(budget_wh=0.1)).best is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "one budget"),
        ({"target": 0.9, "budget_wh": 3}, "one budget"),
        ({"target": 0}, "target=0"),
        ({"budget_wh": -1}, "budget_wh=-1"),
        ({"target": 0.9, "measure": "mAP75"}, "measure='mAP75'"),
        ({"target": 0.9, "confidence": 1}, "confidence=1"),
        ({"target": 0.9, "measure": "mAP50"}, "mAP50"),
        ({"target_map": 1}, "target_map=1"),
        ({"target_map": 0.3, "target": 0.9}, "one"),
    ],
)
def test_bad_questions(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        recommend(rows(), ask(**arguments))
    assert said in str(caught.value)


def test_a_misspelt_goal_is_not_ignored() -> None:
    with pytest.raises(TypeError, match="budget_kwh"):
        ask(target=0.9, budget_kwh=3.0)


def test_cells_that_overlapped_say_nothing_of_energy() -> None:
    spoilt = rows()
    for row in spoilt:
        if row["images"] == 40:
            row |= {"overlapped": True, "Wh": 99.0}
    assert recommend(spoilt, ask(budget_wh=20)).full.wh == pytest.approx(10)
    with pytest.raises(InputError, match="energy"):
        recommend([{**row, "Wh": None} for row in rows()], ask(target=0.9))


def test_energies_that_were_not_a_cells_own_are_used_with_a_note(found: Recommendation) -> None:
    beside = recommend([{**row, "overlapped": True} for row in rows()], ask(target=0.9))
    assert beside.full.wh == pytest.approx(found.full.wh)
    assert "overlapped another training" in beside.energy_note and found.energy_note == ""
    assert beside.to_dict()["energy_note"] == beside.energy_note


def without_choosing(*labels: str) -> list[dict[str, Any]]:
    """Return the rows. For these methods, choosing includes a proxy training of unknown energy."""
    unknown = {"proxy_training_seconds": 9.0, "proxy_training_Wh": None}
    return [{**row, **(unknown if row["label"] in labels else {})} for row in rows()]


def recipe(method: str, expected: float, wh: float, choosing_wh: float | None) -> PlannedRecipe:
    return PlannedRecipe(method, 0.5, 200, 20, expected, expected - 0.1, expected + 0.1, 0.9, wh, choosing_wh)


@pytest.mark.parametrize(
    ("budget_wh", "expected"),
    [(5.0, ["dear", "cheap", "unknown"]), (2.5, ["unknown"]), (None, ["cheap", "dear", "unknown"])],
)
def test_unknown_costs_of_choosing_come_last(budget_wh: float | None, expected: list[str]) -> None:
    """If choosing were free, this recipe would be the best and the cheapest. It remains if no other recipe fits."""
    found = [recipe("unknown", 0.6, 2.0, None), recipe("cheap", 0.4, 2.5, 0.5), recipe("dear", 0.5, 3.0, 1.0)]
    target = 0.9 if budget_wh is None else None
    question = Question(target, "Wh", budget_wh or float("inf"), "mAP50_95", 0.5)
    assert [item.method for item in order(found, question)] == expected
    assert found[0].total_wh is None and found[1].total_wh == 3.0
    assert (found[0].to_dict()["choosing_wh"], found[0].to_dict()["total_wh"]) == (None, None)


def test_what_choosing_took_may_not_be_known(found: Recommendation) -> None:
    advice = recommend(without_choosing("good"), ask(target=0.9))
    assert "choosing by good" in advice.energy_note and found.energy_note == ""
    assert advice.best is not None and advice.best.total_wh is not None
    last = advice.others[-1]
    assert (last.method, last.choosing_wh, last.total_wh) == ("good", None, None) and last.wh > 0


def test_what_choosing_costs_goes_by_the_keep() -> None:
    dear = {40: 0.2, 100: 0.8, 200: 1.0}
    energy = Costs.of([row | {"features_Wh": dear[row["images"]]} if row["label"] == "good" else row for row in rows()])
    costs = [energy.of_choosing("good", count) for count in (20, 70, 100, 300)]
    assert costs == pytest.approx([0.3, 0.6, 0.9, 1.1]), "features and selection"
    assert energy.of_choosing("full", 400) == energy.of_choosing("srs", 70) == 0.0


def test_a_random_draw_costs_nothing_where_it_was_not_metered() -> None:
    drawn = {"method": "srs", "selection_seconds": 0.01, "selection_Wh": None}
    energy = Costs.of([row | drawn if row["label"] == "srs" else row for row in rows()])
    assert energy.of_choosing("srs", 100) == 0.0 and energy.note == ""
    assert Costs.of([row for row in rows() if row["label"] != "srs"]).of_choosing("srs", 100) == 0.0
    assert Costs.of(without_choosing("good")).of_choosing("good", 100) is None


def test_what_has_no_number_is_null_in_json() -> None:
    assert recommend(rows(), ask(budget_wh=3.0)).to_dict()["full"]["chance"] is None
