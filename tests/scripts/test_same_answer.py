"""Every method chooses the same images whatever the threads, hash seed, locale, cache, place and order of the files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from detreduce.reducers.registry import BUILT_IN

pytestmark = pytest.mark.long

FILE = Path(__file__).parents[2] / "scripts" / "torture" / "same_answer.py"


@pytest.fixture
def same_answer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("same_answer", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "same_answer", module)  # dataclasses look up their module in sys.modules
    spec.loader.exec_module(module)
    return module


def test_every_setting_gives_the_same_answer(same_answer: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert same_answer.main(short=True) == []
    lines = capsys.readouterr().out.splitlines()
    counts = [int(line.split(": ")[-1].split()[0]) for line in lines if line.endswith("differ")]
    each = len(BUILT_IN) + 9  # 8 for features, 1 for mms without near-duplicates
    assert counts == [each, each, each, 4, 4], "a method or a block of features is missing"
