"""The measure that predicts mAP best, on made-up cells with a known answer."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from detreduce.vocabulary.keeps import keep_key

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("predictors", REPOSITORY / "scripts" / "studies" / "predictors.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cell(label: str, keep: float, selected: int | None, trained: int, value: float) -> dict[str, Any]:
    key = f"{label}-{keep}-{selected}-{trained}"
    return {"key": key, "label": label, "keep": keep, "selection_seed": selected, "mAP50": value}


CELLS = [
    cell("full", 1.0, None, 0, 0.9),
    cell("srs", 0.1, 0, 0, 0.2),
    cell("srs", 0.1, 1, 1, 0.4),
    cell("csod", 0.1, 0, 0, 0.5),
    cell("csod", 0.1, 0, 1, 0.7),
    cell("mms", 0.5, 0, 0, 0.7),
]


def test_a_gain_is_that_of_a_selection_over_the_random_mean(script: ModuleType) -> None:
    found = script.gains([*CELLS, CELLS[1]])
    tenth = keep_key(0.1)
    assert set(found) == {tenth}, "keeps without random selections cannot be compared"
    assert found[tenth] == pytest.approx({("srs", tenth, 0): -0.1, ("srs", tenth, 1): 0.1, ("csod", tenth, 0): 0.3})


def test_rho_is_the_correlation_of_ranks_and_its_interval_holds_it(script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=30)
    y = x + rng.normal(size=30)
    labels = [f"method {number // 2}" for number in range(30)]
    rho, low, high = script.correlate(x, y, labels)
    assert rho == pytest.approx(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    assert -1 <= low < rho < high <= 1 and low > 0
    assert script.correlate(np.exp(x), y, labels)[0] == pytest.approx(rho), "only the order counts"
    noise = script.correlate(rng.normal(size=30), y, labels)
    assert noise[1] < 0 < noise[2]


def test_selections_of_a_method_are_drawn_together(script: ModuleType) -> None:
    x, y = np.repeat([1.0, 2.0, 3.0], 10), np.repeat([1.0, 3.0, 2.0], 10)
    alone = script.correlate(x, y, [str(number) for number in range(30)])
    together = script.correlate(x, y, np.repeat(["a", "b", "c"], 10).tolist())
    assert alone[0] == together[0] and together[2] - together[1] > 2 * (alone[2] - alone[1])


@pytest.mark.parametrize("x", [[1.0, 2, 3, 4], [1.0] * 6, [1.0, 2, 3, 4, np.nan, np.nan]])
def test_without_enough_to_rank_there_is_no_rho(script: ModuleType, x: list[float]) -> None:
    assert script.correlate(x, np.arange(len(x)), list("abcdef"[: len(x)])) is None


def test_the_table_joins_cells_and_measures_by_selection(script: ModuleType) -> None:
    labels = ["srs", *"abcdef"]
    cells = [cell(label, 0.1, 0, seed, place / 10) for place, label in enumerate(labels) for seed in (0, 1)]
    measured = [
        {
            "label": label,
            "keep": 0.1,
            "selection_seed": 0,
            "measures": {"good": place if place < 6 else "inf", "bad": -place, **({"few": 1.0} if place else {})},
        }
        for place, label in enumerate(labels)
    ]
    found = {row["measure"]: row for row in script.table(cells, [*measured, measured[0] | {"keep": 0.25}])}
    assert set(found) == {"good", "bad"} and found["good"]["selections"] == found["good"]["methods"] == 7
    assert found["good"]["rho"] == pytest.approx(1) and found["bad"]["rho"] == pytest.approx(-1)
