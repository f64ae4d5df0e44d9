from __future__ import annotations

import math
from typing import Any

import pytest

from detreduce.experiment.statistics.break_even import break_even, choosing_wh


def row(label: str, wh: float | None, control: str | None = None, **more: Any) -> dict[str, Any]:
    return {"label": label, "control": control, "keep": 0.5, "images": 10, "Wh": wh, **more}


def test_by_hand() -> None:
    rows = [
        row("full", 10.0, "full", keep=1.0, images=20),
        row("full", 12.0, "full", keep=1.0, images=20),
        row("full", 99.0, "full", keep=1.0, images=20, overlapped=True),
        row("full_equal_iterations", 5.0, "full_equal_iterations"),
        row("mms", 5.0, features_Wh=2.0, selection_Wh=1.0),
        row("mms", 7.0, features_Wh=2.0, selection_Wh=1.0, proxy_training_Wh=None),
        row("vps", 13.0, proxy_training_Wh=4.0),
        row("srs", 6.0, selection_Wh=0.0),
        row("csod", None, features_Wh=1.0),
    ]
    found = {item.method: item for item in break_even(rows)}
    assert list(found) == ["mms", "srs", "vps"]
    assert (found["mms"].choosing_wh, found["mms"].saved_wh) == (3.0, 5.0)
    assert found["mms"].trainings == pytest.approx(0.6)
    assert found["srs"].trainings == 0
    assert found["vps"].saved_wh == -2.0
    assert found["vps"].trainings == math.inf
    assert break_even(rows[3:]) == []


def test_a_cost_of_choosing_that_is_not_known_is_not_nothing() -> None:
    row = {"label": "vps", "keep": 0.5, "images": 5, "control": None, "Wh": 1.0, "proxy_training_seconds": 9.0}
    unknown, known = {**row, "proxy_training_Wh": None}, {**row, "proxy_training_Wh": 2.0}
    assert choosing_wh([unknown]) is None and choosing_wh([known]) == 2.0 and choosing_wh([{"Wh": 1.0}]) == 0.0
    # the plan and the break-even use the cells with known energy
    assert choosing_wh([unknown, known, {**known, "proxy_training_Wh": 4.0}]) == 3.0
    assert choosing_wh([known, {**known, "proxy_training_Wh": 9.0, "overlapped": True}]) == 2.0
    full = {"label": "full", "keep": 1.0, "images": 10, "control": "full", "Wh": 3.0}
    (found,) = break_even([full, {**row, "proxy_training_Wh": None}])
    assert math.isnan(found.trainings) and found.saved_wh == 2.0
    (found,) = break_even([full, unknown, known])
    assert found.choosing_wh == 2.0 and found.trainings == 1.0


def test_a_random_draw_that_was_not_metered_costs_nothing() -> None:
    draw = {"method": "srs", "selection_seconds": 0.01, "selection_Wh": None}
    assert choosing_wh([draw]) == 0.0
    assert choosing_wh([{**draw, "method": "mms"}]) is None
    assert choosing_wh([{**draw, "duplicates_seconds": 1.0, "duplicates_Wh": None}]) is None
