"""`scripts/docs/blind_reading.py`: which docstrings a reader gets, and how the answers are counted."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("blind_reading", REPOSITORY / "scripts" / "docs" / "blind_reading.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_item_shows_its_package(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "OTHERS", {"rich": 5})
    monkeypatch.setattr(script, "NUMBER", 5)
    items, key = script.draw(3)
    assert items.count("## Item ") == len(key) == 10
    assert sum(place.startswith("detreduce/") for place in key.values()) == 5
    assert "detreduce" not in items.lower()
    assert script.draw(3) == (items, key)


def test_shares_are_of_each_side(script: ModuleType) -> None:
    key = {"1": "detreduce/a.py:1", "2": "rich/b.py:1", "3": "rich/c.py:1"}
    reader = {number: {"marked": number != "2", "twice": number == "3"} for number in key}
    assert script.score(key, reader) == {
        "detreduce": {"marked": 1.0, "twice": 0.0},
        "others": {"marked": 0.5, "twice": 0.5},
    }
