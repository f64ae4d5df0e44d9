from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("study_hardness", REPOSITORY / "scripts" / "studies" / "hardness.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def boxes(script: ModuleType, *rows: tuple[float, ...]) -> object:
    """Rows: x1, y1, x2, y2, class, confidence."""
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return script.Boxes(table[:, :4], table[:, 4].astype(int), table[:, 5])


def test_agreement(script: ModuleType) -> None:
    one = boxes(script, (0, 0, 0.5, 0.5, 1, 0.8), (0.5, 0.5, 1, 1, 2, 0.4))
    nothing = boxes(script)
    assert script.agreement(one, one) == pytest.approx(1)
    assert script.agreement(nothing, nothing) == 1 and script.agreement(one, nothing) == 0
    # half the confidence: min is 0.4 of a mean sum of 0.6
    assert script.agreement(boxes(script, (0, 0, 1, 1, 1, 0.8)), boxes(script, (0, 0, 1, 1, 1, 0.4))) == pytest.approx(
        0.4 / 0.6
    )
    assert script.agreement(boxes(script, (0, 0, 1, 1, 1, 0.8)), boxes(script, (0, 0, 1, 1, 2, 0.8))) == 0


def test_error_and_doubt(script: ModuleType) -> None:
    plain = boxes(script, (0, 0, 0.5, 0.5, 1, 0.8), (0.5, 0.5, 1, 1, 2, 0.4))
    corners = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]])
    assert script.error(plain, corners, np.array([1, 2])) == pytest.approx(1 - (0.8 + 0.4) / 2)
    assert script.error(plain, corners, np.array([1, 1])) == pytest.approx(1 - 0.8 / 2)
    assert script.error(boxes(script), corners, np.array([1, 1])) == 1
    assert script.doubt(plain) == pytest.approx(1 - (0.64 + 0.16) / 1.2)


def test_map_of_perfect_and_missing_predictions(script: ModuleType) -> None:
    truth = boxes(script, (0, 0, 0.5, 0.5, 1, 1), (0.5, 0.5, 1, 1, 2, 1))
    assert script.map50([(truth, truth)]) == pytest.approx(1)
    assert script.map50([(boxes(script, (0, 0, 0.5, 0.5, 1, 0.9)), truth)]) == pytest.approx(0.5)
