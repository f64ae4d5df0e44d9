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
    spec = importlib.util.spec_from_file_location(
        "study_effective_rank", REPOSITORY / "scripts" / "studies" / "effective_rank.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_orthogonal_features_have_full_rank(script: ModuleType) -> None:
    # 8 orthogonal rows, minus their mean, span 7 dimensions
    assert script.effective_rank(np.eye(8, 20)) == pytest.approx(7)
    assert script.effective_rank(np.repeat(np.eye(4, 20), 5, axis=0)) == pytest.approx(3)
    assert script.effective_rank(np.ones((5, 3))) == 0


def test_unequal_values_count_less_than_their_number(script: ModuleType) -> None:
    features = np.diag([9.0, 1.0])[[0, 0, 1, 1]] * np.array([[1], [-1], [1], [-1]])
    shares = np.array([0.9, 0.1])
    assert script.effective_rank(features) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_no_correlation_with_a_constant(script: ModuleType) -> None:
    rows = [{"effective_images": number, "effective_rank": number**2} for number in range(5)]
    assert script.rho(rows) == 1.0
    assert script.rho([{**row, "effective_images": 1} for row in rows]) is None
