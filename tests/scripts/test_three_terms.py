"""The predictor of at most three measures, on made-up groups with a known answer."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

STUDIES = str(Path(__file__).resolve().parents[2] / "scripts" / "studies")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(STUDIES)
    for name in ("predictors", "three_terms"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("three_terms")


def group(script: ModuleType, dataset: str, seed: int, count: int = 40) -> object:
    rng = np.random.default_rng(seed)
    columns = {name: script.ranks(rng.normal(size=count)) for name in ("a", "b", "c", "d", "e")}
    gain = script.ranks(columns["a"] - 2 * columns["b"] + 0.01 * rng.normal(size=count))
    labels = tuple(f"method {number // 2}" for number in range(count))
    return script.Group(dataset, "10 %", labels, columns, gain, None)


def test_the_terms_that_make_the_gain_are_found_and_work_elsewhere(script: ModuleType) -> None:
    found = [group(script, "x", 0), group(script, "y", 1), group(script, "z", 2)]
    for row in script.study(found):
        assert {"a", "b"} <= row["weights"].keys() and len(row["weights"]) <= script.TERMS
        assert row["weights"]["a"] > 0 > row["weights"]["b"]
        assert row["tried_on"] not in row["built_on"] and len(row["built_on"]) == 2
        (tried,) = row["tried"]
        assert 0.9 < tried["low"] <= tried["rho"] <= 1


def test_the_tried_dataset_does_not_build(script: ModuleType) -> None:
    first, second, noise = (group(script, name, number) for number, name in enumerate("xyz"))
    before = script.study([first, second, noise])[2]["weights"]
    reversed_gain = script.Group("z", "10 %", noise.labels, noise.measures, -noise.gain, None)
    assert script.study([first, second, reversed_gain])[2]["weights"] == before


def test_ranks_have_ties_and_gaps(script: ModuleType) -> None:
    assert script.ranks([1.0, float("inf"), 3.0]).tolist() == [-1, 1, 0]
    assert script.ranks([2.0, 2.0, float("nan"), 5.0]).tolist() == [-0.5, -0.5, 0, 1]
    assert script.ranks([float("nan")] * 3).tolist() == [0, 0, 0]


def test_repeatability_is_the_correlation_between_seeds(script: ModuleType) -> None:
    def rows(seed: int, values: list[float]) -> list[dict[str, object]]:
        return [{"training_seed": seed, "label": str(place), "mAP50": value} for place, value in enumerate(values)]

    assert script.repeatability([*rows(0, [1, 2, 3, 4, 5]), *rows(1, [2, 3, 4, 5, 9])]) == pytest.approx(1)
    assert script.repeatability([*rows(0, [1, 2, 3, 4, 5]), *rows(1, [5, 4, 3, 2, 1])]) == pytest.approx(-1)
    assert script.repeatability(rows(0, [1, 2, 3, 4, 5])) is None
